using System.Data;
using Dapper;
using Microsoft.Data.Sqlite;
using WebhookService.Application.Common;
using WebhookService.Domain.Devices;
using WebhookService.Domain.History;
using WebhookService.Domain.Sessions;
using WebhookService.Infrastructure.Persistence;

namespace WebhookService.Infrastructure.History;

/// <summary>
/// Reads, device by device, as much of the ledger as timelines need between two times: the newest session started by the first, all that
/// follow up to the first one started at or after the second, and the lone farewells among them. Nothing else of the ledger is touched, and
/// no more than one device's part is held.
/// </summary>
internal sealed class LedgerReader(SqliteConnection connection)
{
    private const string HasLoneFarewells = "SELECT EXISTS (SELECT 1 FROM farewells INDEXED BY farewells_stray WHERE kind = 0 AND matched = 0)";

    private const string LoneFarewells = """
        SELECT at, reason FROM farewells INDEXED BY farewells_client
        WHERE client_no = @client AND at > @after AND at <= @until AND kind = 0 AND matched = 0 ORDER BY at, reason
        """;

    private const string FirstAfter = """
        AND s.connected_at <= coalesce((
            SELECT after.connected_at FROM sessions after INDEXED BY sessions_key
            WHERE after.client_no = d.client_no AND after.connected_at >= @until ORDER BY after.connected_at LIMIT 1), @until)
        """;

    /// <summary>
    /// The parameters are @since and @until, names that no filter of devices uses. The session that a device shows now is its newest but for clocks that differ; if that began before
    /// @since, it is found without a look at the ledger.
    /// </summary>
    /// <param name="tables">Which give `d`, the devices.</param>
    /// <param name="isPast">Sessions may have started at or after @until: of those the first is the last that is read.</param>
    internal static string Statement(string tables, string where, bool isPast) => $"""
        SELECT d.client_no, d.client_id, d.first_seen_at, d.status, d.confidence, d.since, d.evidence, d.last_reason,
          CASE d.confidence WHEN 2 THEN coalesce(d.alive_until, (SELECT seen.last_seen_at FROM device_activity seen WHERE seen.client_no = d.client_no)) END AS last_seen_at,
          s.session_no, s.connected_at, s.end_at, s.end_reason, s.alive_until, s.ended_by
        FROM {tables}
        LEFT JOIN sessions s INDEXED BY sessions_key ON s.client_no = d.client_no
          AND s.connected_at >= CASE WHEN d.connected_at <= @since THEN d.connected_at ELSE coalesce((
            SELECT before.connected_at FROM sessions before INDEXED BY sessions_key
            WHERE before.client_no = d.client_no AND before.connected_at <= @since ORDER BY before.connected_at DESC LIMIT 1), @since) END
          {(isPast ? FirstAfter : "")}
        {where}
        """;

    /// <summary>The devices that the tables and conditions give, in their order, each once.</summary>
    /// <param name="now">Where <paramref name="to"/> reaches, nothing follows.</param>
    public IEnumerable<DeviceHistory> Read(
        string tables, string where, DynamicParameters parameters, DateTimeOffset from, DateTimeOffset to, DateTimeOffset now, CancellationToken cancellation)
    {
        parameters.Add("since", from.ToMs());
        parameters.Add("until", to.ToMs());
        using var farewells = connection.ExecuteScalar<bool>(HasLoneFarewells) ? new FarewellReader(connection) : null;
        using var rows = connection.ExecuteReader(Statement(tables, where, isPast: to.ToMs() < now.ToMs()), parameters);
        var more = rows.Read();
        while (more)
        {
            cancellation.ThrowIfCancellationRequested();
            var number = rows.GetInt64(0);
            var (clientId, firstSeenAt, present) = (rows.GetString(1), rows.GetInt64(2).ToTime(), PresentOf(rows));
            var sessions = new List<LedgerSession>(1);
            do
            {
                if (!rows.IsDBNull(9)) sessions.Add(SessionOf(rows));
                more = rows.Read();
            }
            while (more && rows.GetInt64(0) == number);
            yield return new(number, clientId, firstSeenAt, new DeviceLedger(sessions, FarewellsOf(number, sessions), present));
        }

        IReadOnlyList<LedgerFarewell> FarewellsOf(long device, List<LedgerSession> sessions)
        {
            if (farewells is null) return [];
            var after = sessions is [{ } first, ..] && first.Start <= from ? first.Start : DateTimeOffset.MinValue;
            var until = sessions is [.., { } last] && last.Start >= to ? last.Start : DateTimeOffset.MaxValue;
            return farewells.Read(device, after, until);
        }
    }

    private static PresentState PresentOf(IDataRecord row) =>
        new((ConnectivityStatus)row.GetInt64(3), (Confidence)row.GetInt64(4), TimeAt(row, 5), row.GetString(6), ReasonAt(row, 7), TimeAt(row, 8));

    private static LedgerSession SessionOf(IDataRecord row) =>
        new(row.GetInt64(10).ToTime(), TimeAt(row, 11), ReasonAt(row, 12), TimeAt(row, 13),
            IsExpired: !row.IsDBNull(14) && row.GetString(14) == Words.Of(EndedBy.Expired), row.GetInt64(9));

    private static DateTimeOffset? TimeAt(IDataRecord row, int column) => row.IsDBNull(column) ? null : row.GetInt64(column).ToTime();

    private static DisconnectReason? ReasonAt(IDataRecord row, int column) => row.IsDBNull(column) ? null : Words.Read<DisconnectReason>(row.GetString(column));

    /// <summary>Asked for each device, but only where there are any.</summary>
    private sealed class FarewellReader : IDisposable
    {
        private readonly SqliteCommand command;
        private readonly SqliteParameter client = new("@client", SqliteType.Integer);
        private readonly SqliteParameter after = new("@after", SqliteType.Integer);
        private readonly SqliteParameter until = new("@until", SqliteType.Integer);

        public FarewellReader(SqliteConnection connection)
        {
            command = connection.CreateCommand();
            command.CommandText = LoneFarewells;
            command.Parameters.AddRange([client, after, until]);
        }

        public List<LedgerFarewell> Read(long device, DateTimeOffset from, DateTimeOffset to)
        {
            (client.Value, after.Value, until.Value) = (device, from.ToMs(), to.ToMs());
            var farewells = new List<LedgerFarewell>();
            using var rows = command.ExecuteReader();
            while (rows.Read()) farewells.Add(new(rows.GetInt64(0).ToTime(), Words.Read<DisconnectReason>(rows.GetString(1))));
            return farewells;
        }

        public void Dispose() => command.Dispose();
    }
}

/// <summary>A device and its part of the ledger.</summary>
internal sealed record DeviceHistory(long Number, string ClientId, DateTimeOffset FirstSeenAt, DeviceLedger Ledger);
