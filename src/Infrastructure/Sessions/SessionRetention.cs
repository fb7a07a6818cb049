using Dapper;
using Microsoft.Data.Sqlite;
using Microsoft.Extensions.Options;
using WebhookService.Domain;
using WebhookService.Infrastructure.Persistence;
using WebhookService.Infrastructure.Retention;

namespace WebhookService.Infrastructure.Sessions;

/// <summary>
/// Sessions go by age when they and the time until the next one of their device lie before it, so that within the age the past is what it was:
/// also the newest of a device stays, which tells since when it is offline. What goes of a device is always the beginning of its ledger, so
/// that no gap is left that looked like time offline; before what is kept it is unknown.
/// </summary>
internal sealed class SessionRetention : IRetained
{
    private const int AtOnce = 500;

    /// <summary>Walks by start. Those that may go are told with their number; of the others only the place counts.</summary>
    private const string Walk = """
        SELECT s.session_no, s.connected_at,
          s.end_at < @before AND coalesce((SELECT n.connected_at FROM sessions n INDEXED BY sessions_key
            WHERE n.client_no = s.client_no AND n.connected_at > s.connected_at ORDER BY n.connected_at LIMIT 1), @before) < @before AS may_go
        FROM sessions s INDEXED BY sessions_time
        WHERE (s.connected_at, s.session_no) > (@At, @No) AND s.connected_at < @before
        ORDER BY s.connected_at, s.session_no LIMIT @AtOnce
        """;

    /// <summary>Looks again: much may have been told since it was found.</summary>
    private const string RemoveSession = """
        DELETE FROM sessions WHERE session_no = ?1 AND end_at < ?2
          AND EXISTS (SELECT 1 FROM sessions n INDEXED BY sessions_key
            WHERE n.client_no = sessions.client_no AND n.connected_at > sessions.connected_at AND n.connected_at < ?2)
          AND NOT EXISTS (SELECT 1 FROM sessions e INDEXED BY sessions_key WHERE e.client_no = sessions.client_no AND e.connected_at < sessions.connected_at)
        RETURNING client_no
        """;

    /// <summary>A lone end from before would otherwise hold until the first session that is kept.</summary>
    private const string RemoveFarewells = "DELETE FROM farewells WHERE client_no = ? AND at < (SELECT min(connected_at) FROM sessions WHERE client_no = ?1) AND at < ?";

    private readonly UnitOfWork work;
    private readonly SessionRepository sessions;
    private readonly Lazy<Statement> remove;
    private readonly Lazy<Statement> removeFarewells;
    private readonly Lazy<Statement> nameOf;
    private readonly TimeSpan between;
    private readonly Pass byAge = new();
    private readonly Pass bySize = new();
    private long? count;
    private long countedTo;

    public SessionRetention(UnitOfWork work, SessionRepository sessions, IOptions<RetentionOptions> options)
    {
        (this.work, this.sessions, Limit) = (work, sessions, options.Value.Sessions);
        var spacing = Limit.Scale / 1_000;
        between = spacing > options.Value.Interval ? spacing : options.Value.Interval;
        remove = work.Prepare(RemoveSession);
        removeFarewells = work.Prepare(RemoveFarewells);
        nameOf = work.Prepare("SELECT client_id FROM clients WHERE client_no = ?");
    }

    public string Kind => "sessions";

    public RetentionLimit Limit { get; }

    public DateTimeOffset? OldestAt(SqliteConnection reader) => reader.ExecuteScalar<long?>("SELECT min(connected_at) FROM sessions").ToTime();

    public RetentionStep? Next(SqliteConnection reader, DateTimeOffset now, double? pressure)
    {
        if (Excess(reader) is > 0 and var excess && Find(reader, bySize, now, now, (double)excess / Limit.MaxCount, excess) is { } step) return step;
        if (pressure is { } part) return Find(reader, bySize, now, now, part, AtOnce);
        return Limit.MaxAge > TimeSpan.Zero ? Find(reader, byAge, now, now - Limit.MaxAge, 0, AtOnce) : null;
    }

    /// <summary>Counting reads a whole index: done once in a pass, and only where the numbers given since the last time say that there may be too many.</summary>
    private long Excess(SqliteConnection reader)
    {
        if (Limit.MaxCount == 0) return 0;
        var newest = reader.ExecuteScalar<long?>("SELECT max(session_no) FROM sessions") ?? 0;
        if (count is null || (count + newest - countedTo > Limit.MaxCount && bySize.IsAtStart))
            (count, countedTo) = (reader.ExecuteScalar<long>("SELECT count(*) FROM sessions"), newest);
        return count.Value + newest - countedTo - Limit.MaxCount;
    }

    /// <summary>Goes on with a pass over all that started before a time. One that came to its end and found nothing is repeated after a while only.</summary>
    private RetentionStep? Find(SqliteConnection reader, Pass pass, DateTimeOffset now, DateTimeOffset before, double over, long most)
    {
        if (now < pass.NotBefore && now > pass.NotBefore - between) return null;
        while (true)
        {
            var rows = reader.Query<(long No, long At, bool? MayGo)>(Walk, new { pass.Place.At, pass.Place.No, before, AtOnce }).AsList();
            var found = rows.Where(row => row.MayGo is true).Select(row => row.No).Take((int)Math.Min(most, AtOnce)).ToList();
            var place = rows is [.., { } last] ? (last.At, last.No) : pass.Place;
            if (found.Count > 0) return new(over, time => Remove(found, before.ToMs(), pass, place, time));
            pass.Place = place;
            if (rows.Count == AtOnce) continue;
            pass.End(now + between);
            return null;
        }
    }

    private long Remove(List<long> found, long before, Pass pass, (long, long) place, StepTime time)
    {
        work.Flush(); // what is deleted must not be written again at the end of the transaction
        var (removed, all) = (0L, true);
        foreach (var session in found)
        {
            if (removed > 0 && time.IsOver)
            {
                all = false; // those that are left are found again
                break;
            }
            if (remove.Value.Add(session).Add(before).Number() is not { } client) continue;
            removeFarewells.Value.Add(client).Add(before).Run();
            if (nameOf.Value.Add(client).Text() is { } name) sessions.Drop(new ClientId(name));
            removed++;
        }
        if (all) pass.Place = place;
        pass.HasRemoved |= removed > 0;
        count -= removed;
        return removed;
    }

    private sealed class Pass
    {
        private static readonly (long At, long No) Start = (long.MinValue, 0);

        public (long At, long No) Place { get; set; } = Start;

        public bool IsAtStart => Place == Start;

        public bool HasRemoved { get; set; }

        /// <summary>Sessions that began together can go only one after the other, so one pass may leave some to the next.</summary>
        public DateTimeOffset NotBefore { get; private set; }

        public void End(DateTimeOffset next)
        {
            (Place, NotBefore, HasRemoved) = (Start, HasRemoved ? DateTimeOffset.MinValue : next, false);
        }
    }
}

/// <summary>
/// Reported ends go by the time they tell of, in the order in which they came. Those of sessions that are kept and told their end by themselves
/// are not missed.
/// </summary>
internal sealed class FarewellRetention(UnitOfWork work, SessionRepository sessions, IOptions<RetentionOptions> options) : IRetained
{
    private const int AtOnce = 500;

    private readonly Lazy<Statement> remove = work.Prepare(
        "DELETE FROM farewells WHERE farewell_no = ? RETURNING (SELECT client_id FROM clients c WHERE c.client_no = farewells.client_no)");

    public string Kind => "farewells";

    public RetentionLimit Limit { get; } = options.Value.Sessions;

    public DateTimeOffset? OldestAt(SqliteConnection reader) => reader.ExecuteScalar<long?>("SELECT at FROM farewells ORDER BY farewell_no LIMIT 1").ToTime();

    public RetentionStep? Next(SqliteConnection reader, DateTimeOffset now, double? pressure)
    {
        var before = pressure is not null ? now : Limit.MaxAge > TimeSpan.Zero ? now - Limit.MaxAge : DateTimeOffset.MinValue;
        var (oldest, newest) = reader.QuerySingle<(long?, long?)>("SELECT (SELECT min(farewell_no) FROM farewells), (SELECT max(farewell_no) FROM farewells)");
        if (oldest is null || newest is null) return null;
        var tooMany = Limit.MaxCount > 0 ? newest.Value - Limit.MaxCount : 0;
        var found = reader.Query<(long No, long At)>("SELECT farewell_no, at FROM farewells ORDER BY farewell_no LIMIT @AtOnce", new { AtOnce })
            .TakeWhile(row => row.At < before.ToMs() || row.No <= tooMany).Select(row => row.No).ToList();
        return found.Count > 0 ? new(tooMany >= oldest ? (double)(tooMany - oldest.Value + 1) / Limit.MaxCount : 0, time => Remove(found, time)) : null;
    }

    private long Remove(List<long> found, StepTime time)
    {
        work.Flush(); // what is deleted must not be written again at the end of the transaction
        var removed = 0;
        foreach (var farewell in found)
        {
            if (removed > 0 && time.IsOver) break;
            if (remove.Value.Add(farewell).Text() is { } client) sessions.Drop(new ClientId(client)); // its number is given again when it was the highest
            removed++;
        }
        return removed;
    }
}

/// <summary>Subscriptions that ended before the age of sessions, and whose end the journal was told.</summary>
internal sealed class SubscriptionRetention(UnitOfWork work, SessionRepository sessions, IOptions<RetentionOptions> options) : IRetained
{
    private const int AtOnce = 64;

    private const string Find = """
        SELECT s.client_no, c.client_id, s.filter FROM subscriptions s INDEXED BY subscriptions_end JOIN clients c USING (client_no)
        WHERE s.ends_at < @before AND s.end_told = 1 ORDER BY s.ends_at LIMIT @AtOnce
        """;

    private readonly Lazy<Statement> remove = work.Prepare(
        "DELETE FROM subscriptions WHERE client_no = ? AND filter = ? AND ends_at < ? AND end_told = 1 RETURNING 1");

    public string Kind => "subscriptions";

    public RetentionLimit Limit { get; } = options.Value.Sessions;

    public DateTimeOffset? OldestAt(SqliteConnection reader) =>
        reader.ExecuteScalar<long?>("SELECT min(ends_at) FROM subscriptions INDEXED BY subscriptions_end WHERE ends_at IS NOT NULL").ToTime();

    public RetentionStep? Next(SqliteConnection reader, DateTimeOffset now, double? pressure)
    {
        if (pressure is null && Limit.MaxAge == TimeSpan.Zero) return null;
        var before = (pressure is null ? now - Limit.MaxAge : now).ToMs();
        var found = reader.Query<(long ClientNo, string ClientId, string Filter)>(Find, new { before, AtOnce }).AsList();
        return found.Count > 0 ? new(0, time => Remove(found, before, time)) : null;
    }

    private long Remove(List<(long ClientNo, string ClientId, string Filter)> found, long before, StepTime time)
    {
        work.Flush();
        var removed = 0L;
        foreach (var (clientNo, clientId, filter) in found)
        {
            if (removed > 0 && time.IsOver) break;
            if (remove.Value.Add(clientNo).Add(filter).Add(before).Number() is null) continue;
            sessions.Drop(new ClientId(clientId));
            removed++;
        }
        return removed;
    }
}
