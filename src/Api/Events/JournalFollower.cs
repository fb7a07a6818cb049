using MediatR;
using WebhookService.Api.Errors;
using WebhookService.Application.Journal;

namespace WebhookService.Api.Events;

/// <summary>Reads the journal for one request and waits for what comes: what the stream and the long-poll have in common.</summary>
internal sealed class JournalFollower(IMediator mediator, IJournalBell bell, IHostApplicationLifetime lifetime, TimeProvider time)
{
    /// <summary>The least time from one reading to the next that news cause. Under load, what comes meanwhile is read together.</summary>
    private static readonly TimeSpan Pace = TimeSpan.FromMilliseconds(100);

    private long lastRead;

    public long Head => bell.Head;

    /// <summary>Numbers are never given twice, so who has seen more than there is has followed another journal and would wait in vain.</summary>
    /// <param name="parameter">Where the caller said what he has seen.</param>
    public async Task<EventPage> ReadAsync(ListEvents events, CancellationToken cancellation, string parameter = "after")
    {
        lastRead = time.GetTimestamp();
        var page = await mediator.Send(events, cancellation);
        if (events.After <= page.Head) return page;

        throw ApiException.BadRequest("after-beyond-head", $"'{parameter}' is {events.After}, but the journal ends at {page.Head}.", parameter,
            "The data of the service was reset or restored since: forget what was read before and begin again with after=0.");
    }

    /// <summary>The next page that holds something; an empty one when so much time is over, or the service stops, before there is any.</summary>
    public async Task<EventPage> ReadAsync(ListEvents events, TimeSpan patience, CancellationToken cancellation)
    {
        var started = time.GetTimestamp();
        var page = await ReadAsync(events, cancellation);
        using var end = CancellationTokenSource.CreateLinkedTokenSource(cancellation, lifetime.ApplicationStopping);
        try
        {
            while (page.Items.Count == 0 && patience - time.GetElapsedTime(started) is { Ticks: > 0 } left)
            {
                if (page.Next >= page.Head && !await IsBeyondAsync(page.Next, left, end.Token)) break;
                page = await ReadAsync(events with { After = page.Next }, end.Token);
            }
        }
        catch (OperationCanceledException) when (!cancellation.IsCancellationRequested)
        {
            // The service stops: what there is, is the answer.
        }
        return page;
    }

    /// <returns>True once the journal holds more than that; false when so much time is over before.</returns>
    public async Task<bool> IsBeyondAsync(long seq, TimeSpan patience, CancellationToken cancellation)
    {
        using var over = CancellationTokenSource.CreateLinkedTokenSource(cancellation);
        over.CancelAfter(patience);
        try
        {
            await bell.WaitBeyondAsync(seq, over.Token);
            if (Pace - time.GetElapsedTime(lastRead) is { Ticks: > 0 } early) await Task.Delay(early, time, over.Token);
            return true;
        }
        catch (OperationCanceledException) when (!cancellation.IsCancellationRequested)
        {
            return false;
        }
    }
}
