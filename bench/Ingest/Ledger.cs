using Microsoft.Data.Sqlite;

namespace WebhookService.Bench.Ingest;

/// <summary>What the database holds of what was answered 200.</summary>
/// <param name="Acknowledged">Events that were answered 200.</param>
/// <param name="Lost">Those that are not there.</param>
/// <param name="Twice">Those that are there more than once.</param>
/// <param name="Unacknowledged">Events that are there though nobody was told so.</param>
internal sealed record LedgerCheck(long Acknowledged, long Lost, long Twice, long Unacknowledged)
{
    public override string ToString() => $"{Acknowledged:N0} answered 200; {Lost:N0} of them lost, {Twice:N0} stored twice, {Unacknowledged:N0} stored without an answer";

    public long Mistakes => Lost + Twice + Unacknowledged;
}

/// <summary>
/// Compares what was answered with what is on disk, event by event: messages by their ids, deliveries by their message, sessions by client and
/// connection time, subscriptions by client, of which the newest counts. For a service that was killed before, without a chance to write anything.
/// </summary>
internal sealed class Ledger : IDisposable
{
    private readonly SqliteConnection connection;

    public Ledger(string path)
    {
        connection = new SqliteConnection(new SqliteConnectionStringBuilder { DataSource = path, Pooling = false }.ConnectionString);
        connection.Open();
    }

    /// <param name="kept">Where retention removes messages: so many of the newest have to be there. All where it is null.</param>
    /// <param name="past">Sessions that each client had before (<see cref="Past"/>).</param>
    public LedgerCheck Check(IReadOnlyCollection<Receipts> receipts, long? kept = null, int past = 0)
    {
        var messages = kept is { } newest ? KeptMessages(receipts, newest) : AllMessages(receipts);
        var (sessions, subscriptions) = (Sessions(receipts, past), Subscriptions(receipts));
        return new(
            messages.Acknowledged + sessions.Acknowledged + subscriptions.Acknowledged,
            messages.Lost + sessions.Lost + subscriptions.Lost,
            messages.Twice + sessions.Twice + subscriptions.Twice,
            messages.Unacknowledged + sessions.Unacknowledged + subscriptions.Unacknowledged);
    }

    /// <summary>Bytes of the file once everything is in it and none is in the log, for each message.</summary>
    public double BytesPerMessage(string path)
    {
        Number("PRAGMA wal_checkpoint(TRUNCATE)");
        return new FileInfo(path).Length / (double)Number("SELECT count(*) FROM messages");
    }

    public void Dispose() => connection.Dispose();

    private LedgerCheck AllMessages(IReadOnlyCollection<Receipts> receipts)
    {
        var (found, twice, unacknowledged) = Read(receipts);
        var (acknowledged, lost) = (0L, 0L);
        foreach (var one in receipts)
        {
            var there = found[(one.Run, one.Connection)];
            for (var i = 0; i < one.Messages.Count; i++)
            {
                acknowledged += Count(one.Messages[i]);
                lost += Count(one.Messages[i] & ~there[i]);
            }
        }
        return new(acknowledged, lost, twice, unacknowledged);
    }

    /// <summary>
    /// Messages are numbered without gaps in the order of their commits, and devices count theirs: both tell how many there were, the removed ones
    /// included. Of the newest none may be missing.
    /// </summary>
    private LedgerCheck KeptMessages(IReadOnlyCollection<Receipts> receipts, long kept)
    {
        var (_, twice, unacknowledged) = Read(receipts);
        var last = Number("SELECT max(coalesce((SELECT value FROM counters WHERE name = 'messages'), 0), coalesce((SELECT max(message_no) FROM messages), 0))");
        var missing = Math.Min(kept, last) - Number($"SELECT count(*) FROM messages WHERE message_no > {last - kept}");
        var messages = receipts.Sum(one => one.Messages.LongCount(told => told is not Facts.None)) - last;
        var published = Told(receipts, Facts.First) - Number("SELECT coalesce(sum(published), 0) FROM activity");
        var delivered = Told(receipts, Facts.Second) - Number("SELECT coalesce(sum(delivered), 0) FROM activity");
        return new(
            receipts.Sum(one => one.Messages.Sum(Count)),
            missing + Math.Max(0, Math.Max(messages, published)) + Math.Max(0, delivered),
            twice,
            unacknowledged + Math.Max(0, -Math.Min(messages, published)) + Math.Max(0, -delivered));
    }

    /// <summary>What is there of each connection's messages.</summary>
    private (Dictionary<(long Run, int Connection), Facts[]> Found, long Twice, long Unacknowledged) Read(IReadOnlyCollection<Receipts> receipts)
    {
        var told = receipts.ToDictionary(one => (one.Run, one.Connection), one => one.Messages);
        var found = told.ToDictionary(one => one.Key, one => new Facts[one.Value.Count]);
        var (twice, unacknowledged) = (0L, 0L);
        using var command = connection.CreateCommand();
        command.CommandText = """
            SELECT m.id, m.publish_seen, d.delivered_at IS NOT NULL, d.acked_at IS NOT NULL
            FROM messages m LEFT JOIN deliveries d ON d.message_no = m.message_no ORDER BY m.message_no
            """;
        using var rows = command.ExecuteReader();
        Span<byte> id = stackalloc byte[16];
        while (rows.Read())
        {
            using (var blob = rows.GetStream(0)) blob.ReadExactly(id);
            var message = SentMessage.Read(id);
            var facts = If(rows.GetBoolean(1), Facts.First) | If(rows.GetBoolean(2), Facts.Second) | If(rows.GetBoolean(3), Facts.Third);
            if (!told.TryGetValue((message.Run, message.Connection), out var asked) || message.Number > asked.Count)
            {
                unacknowledged += Math.Max(1, Count(facts));
                continue;
            }
            var before = found[(message.Run, message.Connection)];
            twice += Count(facts & before[message.Number - 1]);
            unacknowledged += Count(facts & ~asked[message.Number - 1]);
            before[message.Number - 1] |= facts;
        }
        return (found, twice, unacknowledged);
    }

    private LedgerCheck Sessions(IReadOnlyCollection<Receipts> receipts, int past)
    {
        var first = receipts.SelectMany(one => one.Sessions).Select(one => one.Session.At).DefaultIfEmpty().Min();
        var changed = Math.Abs((past * EmqxBodies.Clients) - Number(Past.CountUnchanged(before: first)));
        var found = new Dictionary<(string Client, long At), Facts>();
        var twice = 0L;
        using var command = connection.CreateCommand();
        command.CommandText = "SELECT c.client_id, s.connected_at, s.opened, s.closed_at IS NOT NULL FROM sessions s JOIN clients c USING (client_no) WHERE s.connected_at >= $first";
        command.Parameters.AddWithValue("$first", first);
        using var rows = command.ExecuteReader();
        while (rows.Read())
            if (!found.TryAdd((rows.GetString(0), rows.GetInt64(1)), If(rows.GetBoolean(2), Facts.First) | If(rows.GetBoolean(3), Facts.Second))) twice++;

        var (acknowledged, lost, matched) = (0L, 0L, 0L);
        foreach (var (session, told) in receipts.SelectMany(one => one.Sessions))
        {
            var there = found.GetValueOrDefault((RequestTemplate.ClientId(session.Client), session.At));
            acknowledged += Count(told);
            lost += Count(told & ~there);
            matched += Count(told & there);
        }
        return new(acknowledged, lost + changed, twice, found.Values.Sum(Count) - matched);
    }

    private LedgerCheck Subscriptions(IReadOnlyCollection<Receipts> receipts)
    {
        var told = receipts.SelectMany(one => one.Subscriptions).Where(one => one.Told is not Facts.None).ToList();
        var newest = told.GroupBy(one => one.Subscription.Client, one => one.Subscription.At).ToDictionary(one => RequestTemplate.ClientId(one.Key), Enumerable.Max);
        var (found, twice, unacknowledged) = (new HashSet<string>(), 0L, 0L);
        using var command = connection.CreateCommand();
        command.CommandText = "SELECT c.client_id, s.subscribed_at FROM subscriptions s JOIN clients c USING (client_no)";
        using var rows = command.ExecuteReader();
        while (rows.Read())
        {
            if (newest.GetValueOrDefault(rows.GetString(0)) != rows.GetInt64(1)) unacknowledged++;
            else if (!found.Add(rows.GetString(0))) twice++;
        }
        return new(told.Count, newest.Count - found.Count, twice, unacknowledged);
    }

    private static long Told(IReadOnlyCollection<Receipts> receipts, Facts fact) => receipts.Sum(one => one.Messages.LongCount(message => message.HasFlag(fact)));

    private static Facts If(bool there, Facts fact) => there ? fact : Facts.None;

    private static long Count(Facts facts) => System.Numerics.BitOperations.PopCount((uint)facts);

    private long Number(string sql)
    {
        using var command = connection.CreateCommand();
        command.CommandText = sql;
        return (long)command.ExecuteScalar()!;
    }
}
