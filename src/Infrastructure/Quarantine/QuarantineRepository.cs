using Dapper;
using WebhookService.Application.Quarantine;
using WebhookService.Infrastructure.Persistence;

namespace WebhookService.Infrastructure.Quarantine;

internal sealed class QuarantineRepository(UnitOfWork work) : IQuarantine
{
    private const string Insert = """
        INSERT INTO quarantine (received_at, source, code, reason, parameter, content_type, body, truncated)
        VALUES (@ReceivedAt, @Source, @Code, @Reason, @Parameter, @ContentType, @Body, @Truncated)
        RETURNING id
        """;

    public ValueTask<long> AddAsync(QuarantineBody body, CancellationToken cancellation) =>
        ValueTask.FromResult(work.Connection.ExecuteScalar<long>(Insert, new
        {
            ReceivedAt = body.ReceivedAt.ToMs(),
            body.Source,
            body.Code,
            body.Reason,
            body.Parameter,
            body.ContentType,
            body.Body,
            body.Truncated,
        }));

    public ValueTask<bool> RemoveAsync(long id, CancellationToken cancellation) =>
        ValueTask.FromResult(work.Connection.Execute("DELETE FROM quarantine WHERE id = @id", new { id }) > 0);

    public ValueTask NoteAttemptAsync(long id, string reason, DateTimeOffset at, CancellationToken cancellation)
    {
        work.Connection.Execute(
            "UPDATE quarantine SET attempts = attempts + 1, last_attempt_at = @At, reason = @reason WHERE id = @id", new { id, reason, At = at.ToMs() });
        return ValueTask.CompletedTask;
    }
}
