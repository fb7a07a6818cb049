using Dapper;
using MediatR;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;
using WebhookService.Application.Brokers;
using WebhookService.Application.Common;
using WebhookService.Application.Downlinks;
using WebhookService.Infrastructure.Persistence;

namespace WebhookService.Infrastructure.Downlinks;

/// <summary>Gives up, at the start, what waited for an answer when the service stopped; then meets the deadlines of messages to devices.</summary>
internal sealed partial class DownlinkWorker(
    IMediator mediator, Database database, DownlinkRepository downlinks, IOptions<ReconciliationOptions> options, TimeProvider time, ILogger<DownlinkWorker> logger) : BackgroundService
{
    /// <summary>Downlinks a command looks at: few enough that the reports behind it hardly notice.</summary>
    private const int Chunk = 64;

    // What was due before the start waits for the broker's backlog of reports.
    private const string Due = """
        SELECT downlink_no FROM downlinks WHERE due_at <= @now AND (due_at > @start OR @now >= @graceEnds) ORDER BY due_at LIMIT @Chunk
        """;

    private const string NextDue = """
        SELECT min(due_at) FROM (SELECT min(due_at) AS due_at FROM downlinks WHERE due_at > @start
          UNION ALL SELECT @graceEnds WHERE EXISTS (SELECT 1 FROM downlinks WHERE due_at <= @start))
        """;

    private static readonly TimeSpan Pause = TimeSpan.FromSeconds(1);

    /// <summary>What falls due within it shares a transaction with the next.</summary>
    private static readonly TimeSpan Shortest = TimeSpan.FromMilliseconds(20);

    /// <summary>A clock that is set may need a look earlier.</summary>
    private static readonly TimeSpan Longest = TimeSpan.FromMinutes(1);

    private long lastOfEarlier;
    private DateTimeOffset upSince;

    public override Task StartAsync(CancellationToken cancellationToken)
    {
        upSince = time.GetUtcNow();
        using (var connection = database.OpenForReading()) // before requests come in: what is there is from earlier
            lastOfEarlier = connection.ExecuteScalar<long>(Sequence.ReadLast("downlinks", "downlinks", "downlink_no"));
        return base.StartAsync(cancellationToken);
    }

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        while (!await TryAsync(() => mediator.Send(new AbandonDownlinks(lastOfEarlier), stoppingToken), stoppingToken)) { }
        while (!stoppingToken.IsCancellationRequested) await TryAsync(() => StepAsync(stoppingToken), stoppingToken);
    }

    private async Task StepAsync(CancellationToken cancellation)
    {
        var moment = new { now = time.GetUtcNow().ToMs(), start = upSince.ToMs(), graceEnds = (upSince + options.Value.StartGrace).ToMs(), Chunk };
        List<long> due;
        long? next;
        using (var connection = database.OpenForReading())
        {
            due = connection.Query<long>(Due, moment).AsList();
            next = due.Count > 0 ? null : connection.ExecuteScalar<long?>(NextDue, moment);
        }
        if (due.Count > 0) await mediator.Send(new MeetDownlinkDeadlines(due), cancellation);
        else await SleepAsync(next?.ToTime(), cancellation);
    }

    /// <summary>Until something is due, or was saved that may be due earlier: what was saved since the last look has nudged already.</summary>
    private async Task SleepAsync(DateTimeOffset? until, CancellationToken cancellation)
    {
        using var over = CancellationTokenSource.CreateLinkedTokenSource(cancellation);
        var nudged = downlinks.ArmedAsync(over.Token);
        if (until is { } due)
        {
            var rest = TimeSpan.FromMilliseconds(Math.Clamp((due - time.GetUtcNow()).TotalMilliseconds, Shortest.TotalMilliseconds, Longest.TotalMilliseconds));
            await Task.WhenAny(nudged, Task.Delay(rest, time, over.Token));
        }
        else await nudged;
        await over.CancelAsync();
    }

    private async Task<bool> TryAsync(Func<Task> step, CancellationToken cancellation)
    {
        try
        {
            await step();
            return true;
        }
        catch (OverloadedException overloaded)
        {
            await Task.Delay(overloaded.RetryAfter, time, cancellation);
        }
        catch (Exception fault) when (!cancellation.IsCancellationRequested)
        {
            Failed(fault);
            await Task.Delay(Pause, time, cancellation);
        }
        return false;
    }

    [LoggerMessage(LogLevel.Error, "Deadlines of messages to devices could not be met; they are tried again. Please report this")]
    private partial void Failed(Exception fault);
}
