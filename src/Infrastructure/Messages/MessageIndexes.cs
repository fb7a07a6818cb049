using System.Buffers.Binary;
using Dapper;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;
using WebhookService.Domain.Messages;
using WebhookService.Infrastructure.Persistence;

namespace WebhookService.Infrastructure.Messages;

/// <summary>
/// Messages by id and by time. Both tables are written some thousand messages later, in the order of the tables; until then readers look at the messages
/// themselves. See decision 0017.
/// </summary>
internal sealed partial class MessageIndexes : IUnitOfWorkPart, ILateIndex, IDisposable
{
    /// <summary>SQL for the number up to which both tables have all messages.</summary>
    public const string Indexed = "coalesce((SELECT value FROM counters WHERE name = 'messages.indexed'), 0)";

    /// <summary>SQL for the number of the message with the id @id.</summary>
    public const string NumberOf = $"""
        SELECT message_no FROM messages_by_id WHERE id = @id
        UNION ALL SELECT message_no FROM messages WHERE message_no > {Indexed} AND id = @id
        LIMIT 1
        """;

    /// <summary>So many messages are worth a step. A question looks at all that wait, which takes it half a millisecond for these.</summary>
    private const int Many = 1_024;

    /// <summary>Ids that are remembered twice over: about a second of a full load, for clocks of broker nodes may differ by as much.</summary>
    private const int Remembered = 32_768;

    /// <summary>If more wait than that, <see cref="RecentIds"/> would soon have to remember more than it should.</summary>
    private const int TooMany = Remembered / 2;

    /// <summary>Messages between two looks at the clock.</summary>
    private const int AtOnce = 512;

    private readonly UnitOfWork work;
    private readonly ILogger<MessageIndexes> logger;
    private readonly int enough;
    private readonly Lazy<Statement> isUnder;
    private readonly Lazy<Statement> find;
    private readonly Lazy<Statement> search;
    private readonly Lazy<Statement> readIndexed;
    private readonly Lazy<Statement> end;
    private readonly Lazy<Statement> writeIds;
    private readonly Lazy<Statement> writeTimes;
    private readonly Lazy<Statement> writeIndexed;
    private readonly RecentIds recent;
    private readonly SemaphoreSlim many = new(0, 1);
    private long last;    // message of all
    private long indexed; // as far as is known
    private long reached; // in this transaction; 0 where nothing was written

    public MessageIndexes(UnitOfWork work, IOptions<StorageOptions> options, ILogger<MessageIndexes> logger)
    {
        (this.work, this.logger) = (work, logger);
        enough = Math.Min(Many, options.Value.EntriesOfRun);
        recent = new(Math.Min(Remembered, options.Value.EntriesOfRun));
        isUnder = work.Prepare("SELECT 1 FROM messages WHERE message_no = ? AND id = ?");
        search = work.Prepare(NumberOf);
        find = work.Prepare("SELECT message_no FROM messages_by_id WHERE id = ?");
        readIndexed = work.Prepare($"SELECT {Indexed}");
        end = work.Prepare($"SELECT coalesce(max(message_no), 0) FROM (SELECT message_no FROM messages WHERE message_no > ? ORDER BY message_no LIMIT {AtOnce})");
        writeIds = work.Prepare("INSERT OR IGNORE INTO messages_by_id SELECT id, message_no FROM messages WHERE message_no > ? AND message_no <= ? ORDER BY id");
        writeTimes = work.Prepare(
            "INSERT OR IGNORE INTO messages_by_time SELECT published_at, message_no FROM messages WHERE message_no > ? AND message_no <= ? ORDER BY published_at, message_no");
        writeIndexed = work.Prepare(MessageRetention.SetCounter);
        work.Enlist(this);
    }

    public string Name => "messages by id and time";

    public bool IsWaiting => Volatile.Read(ref last) - Volatile.Read(ref indexed) >= enough;

    /// <summary>The number under which a message is stored; null if it is not.</summary>
    public long? Find(MessageId id)
    {
        if (recent.NumberOf(id.Value) is { } number) return isUnder.Value.Add(number).AddId(id.Value).Number() is null ? search.Value.AddId(id.Value).Number() : number;
        return recent.TableMayHave(id.Value) ? find.Value.AddId(id.Value).Number() : null;
    }

    /// <summary>In the transaction that writes the message.</summary>
    public void Add(MessageId id, long number)
    {
        recent.Add(id.Value, number);
        last = Math.Max(last, number);
    }

    public Task WhenManyAsync(CancellationToken cancellation) => many.WaitAsync(cancellation);

    public void Write(StepTime time)
    {
        var start = readIndexed.Value.Number() ?? 0; // it may be further than is known, where another command of its transaction failed
        reached = start;
        do
        {
            var upTo = end.Value.Add(reached).Number() ?? 0;
            if (upTo == 0)
            {
                last = reached; // those beyond were deleted
                break;
            }
            var (ids, times) = (Write(writeIds, reached, upTo), Write(writeTimes, reached, upTo));
            if (ids < times) StoredTwice(times - ids, reached, upTo);
            reached = upTo;
        }
        while (!time.IsOver || (last - reached > TooMany && reached - start < StepTime.MostRows));
        writeIndexed.Value.Add("messages.indexed").Add(reached).Run();
    }

    public void Flush() { } // written with the messages, or in steps of its own

    public void Forget() => reached = 0;

    public void Committed()
    {
        if (reached > 0)
        {
            Volatile.Write(ref indexed, reached);
            recent.Indexed(reached);
            reached = 0;
        }
        ReleaseIfMany();
    }

    public void Opened()
    {
        var upTo = readIndexed.Value.Number() ?? 0;
        var newest = work.Connection.ExecuteScalar<byte[]?>("SELECT max(id) FROM messages_by_id");
        recent.Begin(newest is null ? 0 : BinaryPrimitives.ReadUInt128BigEndian(newest), upTo);
        (indexed, last) = (upTo, upTo);
        foreach (var (id, number) in work.Connection.Query<(byte[], long)>(
            "SELECT id, message_no FROM messages WHERE message_no > @upTo ORDER BY message_no", new { upTo }, buffered: false))
            Add(new(BinaryPrimitives.ReadUInt128BigEndian(id)), number);
        ReleaseIfMany();
    }

    public void Dispose() => many.Dispose();

    /// <returns>Rows that were not there.</returns>
    private int Write(Lazy<Statement> insert, long after, long upTo)
    {
        insert.Value.Add(after).Add(upTo).Run();
        return SQLitePCL.raw.sqlite3_changes(work.Connection.Handle);
    }

    private void ReleaseIfMany()
    {
        if (IsWaiting && many.CurrentCount == 0) many.Release();
    }

    [LoggerMessage(LogLevel.Error, "{Count} of the messages with numbers from {After} to {UpTo} have ids that other messages have. Only the others are found by them. Please report it")]
    private partial void StoredTwice(int count, long after, long upTo);
}
