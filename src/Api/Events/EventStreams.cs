using System.IO.Pipelines;
using System.Text;
using System.Text.Json;
using Microsoft.AspNetCore.Http.Features;
using Microsoft.AspNetCore.Mvc;
using Microsoft.Extensions.Options;
using WebhookService.Api.Errors;
using WebhookService.Api.Operating;
using WebhookService.Application.Common;
using WebhookService.Application.Journal;

namespace WebhookService.Api.Events;

/// <summary>
/// The journal as Server-Sent Events. Nothing is queued for a reader: its stream holds one page, and reads the next when the connection has
/// taken this one. Who is slow is late, and costs no more than who is not.
/// </summary>
internal sealed class EventStreams
{
    public const string MediaType = "text/event-stream";

    private const int PageEvents = 128;
    private const long PageChars = 256 * 1024;
    private const int FlushBytes = 16 * 1024;
    private const int RetryMs = 2_000;

    private readonly EventsOptions options;
    private readonly JsonSerializerOptions json;
    private readonly ServiceMetrics metrics;
    private readonly IHostApplicationLifetime lifetime;
    private readonly TimeProvider time;
    private int open;

    public EventStreams(IOptions<EventsOptions> options, IOptions<JsonOptions> json, ServiceMetrics metrics, IHostApplicationLifetime lifetime, TimeProvider time)
    {
        (this.options, this.json, this.metrics, this.lifetime, this.time) = (options.Value, json.Value.JsonSerializerOptions, metrics, lifetime, time);
        metrics.Watch("events.streams", "{stream}", "Live streams of the journal that are open.", () => Volatile.Read(ref open));
    }

    private Problem TooMany => new(StatusCodes.Status503ServiceUnavailable, "too-many-streams", "Service Unavailable")
    {
        Detail = $"{options.MaxStreams} streams are open, which is as many as may be.",
        Hint = "Ask GET /api/v1/events with 'Prefer: wait=30' instead, close streams that nobody reads, or allow more: Events:MaxStreams.",
        RetryAfter = TimeSpan.FromSeconds(10),
    };

    /// <summary>Sends what happens until the reader leaves, the service stops or the stream is old enough.</summary>
    /// <param name="events">From where, and which.</param>
    /// <param name="parameter">What said from where.</param>
    /// <returns>The refusal, if no stream was begun.</returns>
    /// <exception cref="ApiException">There is no such place to begin.</exception>
    public async Task<IActionResult> SendAsync(HttpContext http, JournalFollower journal, ListEvents events, string parameter)
    {
        try
        {
            if (Interlocked.Increment(ref open) > options.MaxStreams) return TooMany.AsResult();

            events = events with { Limit = PageEvents, MaxChars = PageChars };
            var first = await journal.ReadAsync(events, http.RequestAborted, parameter);
            http.Response.ContentType = MediaType;
            http.Response.Headers.CacheControl = "no-store";
            http.Response.Headers["X-Accel-Buffering"] = "no";
            http.Features.GetRequiredFeature<IHttpResponseBodyFeature>().DisableBuffering();
            if (HeadRequests.WasHead(http)) return new EmptyResult();

            using var end = CancellationTokenSource.CreateLinkedTokenSource(http.RequestAborted, lifetime.ApplicationStopping);
            end.CancelAfter(options.MaxAge);
            try
            {
                await FollowAsync(http.Response.BodyWriter, journal, events, first, end.Token);
            }
            catch (OperationCanceledException) when (end.IsCancellationRequested)
            {
                // This is how streams end; readers come back with the last id they saw.
            }
            return new EmptyResult();
        }
        finally
        {
            Interlocked.Decrement(ref open);
        }
    }

    private async Task FollowAsync(PipeWriter body, JournalFollower journal, ListEvents events, EventPage page, CancellationToken end)
    {
        using var output = new Output(body, json);
        output.Retry(RetryMs);
        output.Position(events.After); // who is cut off before the first event knows, too, where to go on
        if (!await output.FlushAsync(end)) return;
        var lastSent = time.GetTimestamp();

        while (true)
        {
            var oldest = page.Oldest ?? page.Head + 1;
            if (events.After + 1 < oldest) output.Reset(events.After, oldest);
            foreach (var happened in page.Items)
            {
                output.Event(happened);
                if (output.Unflushed >= FlushBytes && !await output.FlushAsync(end)) return;
            }
            if (output.Unflushed > 0)
            {
                if (!await output.FlushAsync(end)) return;
                lastSent = time.GetTimestamp();
            }
            metrics.Streamed(page.Items.Count);
            events = events with { After = page.Next };

            do
            {
                if (Left(lastSent) == TimeSpan.Zero)
                {
                    output.Heartbeat(events.After);
                    if (!await output.FlushAsync(end)) return;
                    lastSent = time.GetTimestamp();
                }
            }
            while (page.Next >= page.Head && !await journal.IsBeyondAsync(page.Next, Left(lastSent), end));
            page = await journal.ReadAsync(events, end);
        }
    }

    /// <summary>Until the next heartbeat is due.</summary>
    private TimeSpan Left(long lastSent) => options.Heartbeat - time.GetElapsedTime(lastSent) is { Ticks: > 0 } left ? left : TimeSpan.Zero;

    /// <summary>Writes the lines of the format. An id without data moves the reader's position and tells him nothing else.</summary>
    private sealed class Output(PipeWriter body, JsonSerializerOptions json) : IDisposable
    {
        private readonly Utf8JsonWriter writer = new(body, new JsonWriterOptions { Encoder = json.Encoder, SkipValidation = true });

        public long Unflushed { get; private set; }

        public void Retry(int milliseconds) => Write($"retry: {milliseconds}\n");

        public void Position(long seq) => Write($"id: {seq}\n\n");

        public void Heartbeat(long seq) => Write($": still here\nid: {seq}\n\n");

        /// <summary>What lies between is gone by retention.</summary>
        public void Reset(long after, long oldest) => Write($$"""
            id: {{oldest - 1}}
            event: reset
            data: {"after":{{after}},"oldest":{{oldest}}}


            """);

        public void Event(EventView happened)
        {
            Write($"id: {happened.Seq}\nevent: {happened.Type}\ndata: ");
            JsonSerializer.Serialize(writer, happened, json);
            writer.Flush();
            Unflushed += writer.BytesCommitted;
            writer.Reset();
            Write("\n\n");
        }

        /// <summary>Returns when the connection has taken it, but for what it buffers.</summary>
        /// <returns>False if the reader has left.</returns>
        public async ValueTask<bool> FlushAsync(CancellationToken cancellation)
        {
            var flushed = await body.FlushAsync(cancellation);
            Unflushed = 0;
            return !flushed.IsCompleted;
        }

        public void Dispose() => writer.Dispose();

        private void Write(string text) => Unflushed += Encoding.UTF8.GetBytes(text, body);
    }
}
