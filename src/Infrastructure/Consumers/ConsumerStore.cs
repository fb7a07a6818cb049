using Dapper;
using WebhookService.Application.Consumers;
using WebhookService.Domain;
using WebhookService.Infrastructure.Persistence;

namespace WebhookService.Infrastructure.Consumers;

internal sealed class ConsumerStore(UnitOfWork work) : IConsumerStore
{
    private const string SaveState = """
        INSERT INTO consumers (name, position, paused, replay_until, handled, missed, last_error, last_error_at)
        VALUES (@Name, @Position, @Paused, @ReplayUntil, @Handled, @Missed, @LastError, @LastErrorAt)
        ON CONFLICT (name) DO UPDATE SET position = excluded.position, paused = excluded.paused, replay_until = excluded.replay_until,
          handled = excluded.handled, missed = excluded.missed, last_error = excluded.last_error, last_error_at = excluded.last_error_at
        """;

    private const string Park = """
        INSERT INTO parked_events (consumer, seq, client, attempts, next_at, replay) VALUES (@consumer, @Seq, @client, @Attempts, @nextAt, @IsReplay)
        ON CONFLICT (consumer, seq) DO UPDATE SET attempts = excluded.attempts, next_at = excluded.next_at, replay = excluded.replay
        """;

    private const string Bury = """
        INSERT INTO dead_letters (consumer, seq, type, at, client, attempts, reason, detail, failed_at)
        VALUES (@consumer, @Seq, @Type, @at, @client, @Attempts, @Reason, @Detail, @failedAt)
        """;

    public ValueTask SaveAsync(ConsumerProgress progress, CancellationToken cancellation)
    {
        var (consumer, connection) = (progress.Name, work.Connection);
        connection.Execute(SaveState, ConsumerRow.From(consumer, progress.State));
        foreach (var seq in progress.Unparked) connection.Execute("DELETE FROM parked_events WHERE consumer = @consumer AND seq = @seq", new { consumer, seq });
        foreach (var one in progress.Parked)
            connection.Execute(Park, new { consumer, one.Seq, client = one.Client?.Value, one.Attempts, nextAt = one.NextAt.ToMs(), one.IsReplay });
        foreach (var dead in progress.Dead)
            connection.Execute(Bury, new
            {
                consumer,
                dead.Entry.Seq,
                dead.Entry.Type,
                at = dead.Entry.At.ToMs(),
                client = dead.Entry.Client?.Value,
                dead.Attempts,
                dead.Reason,
                dead.Detail,
                failedAt = dead.FailedAt.ToMs(),
            });
        return ValueTask.CompletedTask;
    }

    public ValueTask<ParkedEvent?> RedeliverAsync(string consumer, long deadLetter, DateTimeOffset now, CancellationToken cancellation)
    {
        var connection = work.Connection;
        var dead = connection.QuerySingleOrDefault<(long Seq, string? Client)?>(
            "DELETE FROM dead_letters WHERE consumer = @consumer AND id = @deadLetter RETURNING seq, client", new { consumer, deadLetter });
        if (dead is not var (seq, client)) return ValueTask.FromResult<ParkedEvent?>(null);

        var again = new ParkedEvent(seq, client is null ? null : new ClientId(client), 0, now, IsReplay: false);
        connection.Execute(Park, new { consumer, again.Seq, client, again.Attempts, nextAt = now.ToMs(), again.IsReplay });
        return ValueTask.FromResult<ParkedEvent?>(again);
    }

    public ValueTask<bool> HasDeadLettersAsync(string consumer, CancellationToken cancellation) =>
        ValueTask.FromResult(work.Connection.ExecuteScalar<bool>("SELECT EXISTS (SELECT 1 FROM dead_letters WHERE consumer = @consumer)", new { consumer }));

    public ValueTask<bool> DropDeadLetterAsync(string consumer, long deadLetter, CancellationToken cancellation) =>
        ValueTask.FromResult(work.Connection.Execute("DELETE FROM dead_letters WHERE consumer = @consumer AND id = @deadLetter", new { consumer, deadLetter }) > 0);
}

internal sealed record ConsumerRow
{
    public string Name { get; init; } = "";
    public long Position { get; init; }
    public bool Paused { get; init; }
    public long? ReplayUntil { get; init; }
    public long Handled { get; init; }
    public long Missed { get; init; }
    public string? LastError { get; init; }
    public long? LastErrorAt { get; init; }

    public static ConsumerRow From(string name, ConsumerState state) => new()
    {
        Name = name,
        Position = state.Position,
        Paused = state.IsPaused,
        ReplayUntil = state.ReplayUntil,
        Handled = state.Handled,
        Missed = state.Missed,
        LastError = state.LastError,
        LastErrorAt = state.LastErrorAt.ToMs(),
    };

    public ConsumerState ToState() => new(Position, Paused, ReplayUntil, Handled, Missed, LastError, LastErrorAt.ToTime());
}
