using WebhookService.Infrastructure.Persistence;

namespace WebhookService.Infrastructure.Messages;

/// <summary>A row of `streams`: what one client publishes on one topic.</summary>
internal sealed record StreamRow
{
    /// <summary>Of a table that is called s.</summary>
    public const string Columns = "s.stream_no, s.topic_no, s.first_no, s.last_no, s.newest_at, s.newest_no, s.kept_at, s.kept_no";

    public long StreamNo { get; init; }
    public long TopicNo { get; init; }

    /// <summary>The first message it ever had.</summary>
    public long FirstNo { get; init; }

    /// <summary>The highest number of its messages in complete runs; 0 if none was in one.</summary>
    public long LastNo { get; init; }

    public long NewestAt { get; init; }
    public long NewestNo { get; init; }
    public long? KeptAt { get; init; }
    public long? KeptNo { get; init; }

    /// <summary>The newest message that runs lead to; null if that is gone.</summary>
    public Place? Newest => NewestNo > 0 ? new(NewestAt, NewestNo) : null;

    /// <summary>The message that outlives its age: its run may be gone.</summary>
    public Place? Kept => KeptNo is { } no ? new(KeptAt!.Value, no) : null;
}

/// <summary>Numbers for streams. A stream gets its number in the transaction that writes its first message.</summary>
internal sealed class Streams : IUnitOfWorkPart
{
    private readonly GenerationCache<(long Client, long Topic), (long No, bool FromDevice)> known = new(65_536);
    private readonly Lazy<Statement> find;
    private readonly Lazy<Statement> insert;
    private readonly Lazy<Statement> mix;
    private readonly Lazy<Statement> remove;

    public Streams(UnitOfWork work)
    {
        find = work.Prepare("SELECT stream_no FROM streams WHERE client_no = ? AND topic_no = ?");
        insert = work.Prepare("INSERT INTO streams (client_no, topic_no, from_device, first_no) VALUES (?, ?, ?, ?) RETURNING stream_no");
        mix = work.Prepare("UPDATE streams SET from_device = 0 WHERE stream_no = ? AND from_device <> 0");
        remove = work.Prepare("DELETE FROM streams WHERE stream_no = ?");
        work.Enlist(this);
    }

    /// <param name="message">The number of the message that is written.</param>
    public long NumberOf(long client, long topic, bool fromDevice, long message)
    {
        if (!known.TryGet((client, topic), out var stream))
        {
            stream = find.Value.Add(client).Add(topic).Number() is { } stored
                ? (stored, true) // as far as is known
                : (insert.Value.Add(client).Add(topic).Add(fromDevice).Add(message).Number() ?? throw new InvalidOperationException("INSERT … RETURNING gave no number."), fromDevice);
            known.Set((client, topic), stream);
        }
        if (stream.FromDevice && !fromDevice)
        {
            mix.Value.Add(stream.No).Run();
            known.Set((client, topic), (stream.No, false));
        }
        return stream.No;
    }

    /// <summary>Nothing is left of it.</summary>
    public void Remove(long stream, long client, long topic)
    {
        remove.Value.Add(stream).Run();
        known.Remove((client, topic));
    }

    public void Flush() { } // written as they come

    public void Forget() => known.Clear();

    public void Committed() => known.Age();
}
