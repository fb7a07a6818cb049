namespace WebhookService.Domain.Reports;

/// <summary>
/// Something a source told that changes no aggregate: a connack, an authorisation, an alarm, an event we do not know, any JSON of another
/// system. It goes to the journal as it came.
/// </summary>
public sealed class Report : Aggregate
{
    /// <param name="type">The journal's event type, such as `emqx.client.connack`.</param>
    /// <param name="key">Names this report among all of its source; null when a repetition can't be told from news.</param>
    /// <param name="body">The JSON as it was received.</param>
    public Report(string type, ReportKey? key, ClientId? client, DateTimeOffset at, string body)
    {
        Key = key;
        Raise(new ReportReceived(type, client, at, body));
    }

    public ReportKey? Key { get; }
}

/// <summary>128 bits that repeat exactly when a report does: its time and a hash of what identifies it.</summary>
public readonly record struct ReportKey(UInt128 Value);

/// <summary>A report as the journal keeps it, under a type of its own.</summary>
public sealed record ReportReceived(string Type, ClientId? Client, DateTimeOffset At, string Body) : IDomainEvent;

public interface IReportRepository
{
    ValueTask<bool> KnowsAsync(ReportKey key, CancellationToken cancellation);

    ValueTask SaveAsync(Report report, CancellationToken cancellation);
}
