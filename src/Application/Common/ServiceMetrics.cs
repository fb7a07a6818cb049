using System.Diagnostics;
using System.Diagnostics.Metrics;
using WebhookService.Domain;
using WebhookService.Domain.Brokers;
using WebhookService.Domain.Downlinks;

namespace WebhookService.Application.Common;

/// <summary>Every measurement of the service, with name and unit. Tags come from short known lists: never a client id or a topic.</summary>
public sealed class ServiceMetrics
{
    public const string MeterName = "WebhookService";

    private readonly Meter meter;
    private readonly Counter<long> received;
    private readonly Counter<long> quarantined;
    private readonly Counter<long> overloads;
    private readonly Counter<long> commits;
    private readonly Counter<long> commandsFailed;
    private readonly Histogram<double> commitDuration;
    private readonly Histogram<long> commitSize;
    private readonly Counter<long> streamed;
    private readonly Counter<long> corrections;
    private long correctedOnline;
    private long correctedOffline;
    private readonly Histogram<double> sweeps;
    private readonly Histogram<double> lateness;
    private readonly Counter<long> downlinks;

    public ServiceMetrics(IMeterFactory meters)
    {
        meter = meters.Create(MeterName);
        received = meter.CreateCounter<long>("webhooks.received", "{webhook}", "Webhooks taken in, by source, event and outcome.");
        quarantined = meter.CreateCounter<long>("webhooks.quarantined", "{webhook}", "Bodies that nothing could be made of, by source and code.");
        overloads = meter.CreateCounter<long>("webhooks.overloads", "{webhook}", "Requests answered 429 because the writer could not keep up.");
        commits = meter.CreateCounter<long>("store.commits", "{commit}", "Transactions written.");
        commandsFailed = meter.CreateCounter<long>("store.commands_failed", "{command}", "Commands rolled back alone because they failed.");
        commitDuration = meter.CreateHistogram<double>("store.commit.duration", "s", "Time from the begin of a transaction to its being on disk.");
        streamed = meter.CreateCounter<long>("events.streamed", "{event}", "Events of the journal sent to readers of the live stream.");
        corrections = meter.CreateCounter<long>("presence.corrections", "{device}", "Devices whose status the broker's own list corrected: reports were lost.");
        sweeps = meter.CreateHistogram<double>("presence.sweep.duration", "s", "Time to compare the fleet with a broker's client list, by result.");
        lateness = meter.CreateHistogram<double>("presence.deadline.lateness", "s", "How late deadlines were met.");
        downlinks = meter.CreateCounter<long>("downlinks.reached", "{downlink}", "Messages to devices that reached a status.");
        commitSize = meter.CreateHistogram<long>("store.commit.size", "{command}", "Commands that shared a transaction.");
    }

    /// <param name="event">The event's name if it is one that the source documents, else "other".</param>
    public void Received(string source, string @event, Outcome outcome) =>
        received.Add(1, new("source", source), new("event", @event), new("outcome", Word(outcome)));

    public void Quarantined(string source, string code) => quarantined.Add(1, new("source", source), new KeyValuePair<string, object?>("code", code));

    public void Overloaded() => overloads.Add(1);

    public void Committed(int commands, TimeSpan duration)
    {
        commits.Add(1);
        commitSize.Record(commands);
        commitDuration.Record(duration.TotalSeconds);
    }

    public void Streamed(int events) => streamed.Add(events);

    public void Reconciled(SweepResult result, Findings findings, TimeSpan duration)
    {
        sweeps.Record(duration.TotalSeconds, new KeyValuePair<string, object?>("result", Words.Of(result)));
        Corrected(findings);
    }

    public void Corrected(Findings findings)
    {
        Interlocked.Add(ref correctedOnline, findings.CorrectedOnline);
        Interlocked.Add(ref correctedOffline, findings.CorrectedOffline);
        if (findings.CorrectedOnline > 0) corrections.Add(findings.CorrectedOnline, new KeyValuePair<string, object?>("to", "online"));
        if (findings.CorrectedOffline > 0) corrections.Add(findings.CorrectedOffline, new KeyValuePair<string, object?>("to", "offline"));
    }

    /// <summary>Devices that the broker's own list corrected since the service started.</summary>
    public (long Online, long Offline) Corrections => (Interlocked.Read(ref correctedOnline), Interlocked.Read(ref correctedOffline));

    public void MetDeadline(TimeSpan late) => lateness.Record(late.TotalSeconds);

    public void Followed(DownlinkStatus status) => downlinks.Add(1, new KeyValuePair<string, object?>("status", Words.Of(status)));

    public void CommandFailed() => commandsFailed.Add(1);

    /// <summary>Watches a number that somebody else keeps.</summary>
    public void Watch(string name, string unit, string description, Func<long> read) => meter.CreateObservableGauge(name, read, unit, description);

    /// <summary>Watches the business handlers. Names of handlers are few, so they are tags.</summary>
    public void WatchHandlers(Func<IEnumerable<(string Name, long Lag, long Handled, long Failed, long Dead)>> read)
    {
        meter.CreateObservableGauge("handlers.lag", () => Of(one => one.Lag), "{event}", "Events of the journal that a handler has not got to.");
        meter.CreateObservableCounter("handlers.handled", () => Of(one => one.Handled), "{event}", "Events that a handler handled since it exists.");
        meter.CreateObservableCounter("handlers.failed", () => Of(one => one.Failed), "{attempt}", "Tries of a handler that failed since the start.");
        meter.CreateObservableCounter("handlers.dead_letters", () => Of(one => one.Dead), "{event}", "Events that a handler failed for the last time since the start.");

        IEnumerable<Measurement<long>> Of(Func<(string Name, long Lag, long Handled, long Failed, long Dead), long> value) =>
            read().Select(one => new Measurement<long>(value(one), new KeyValuePair<string, object?>("handler", one.Name)));
    }

    /// <summary>Watches what retention removes, and how far back what is kept reaches.</summary>
    public void WatchRetention(Func<IEnumerable<(string Kind, long Rows)>> removed, Func<IEnumerable<(string Kind, double Seconds)>> ages)
    {
        meter.CreateObservableCounter("retention.removed", () => removed().Select(one => new Measurement<long>(one.Rows, new KeyValuePair<string, object?>("kind", one.Kind))),
            "{row}", "Rows removed because they were too old or too many.");
        meter.CreateObservableGauge("retention.age", () => ages().Select(one => new Measurement<double>(one.Seconds, new KeyValuePair<string, object?>("kind", one.Kind))),
            "s", "Age of the oldest row that is kept.");
    }

    private static string Word(Outcome outcome) => outcome switch
    {
        Outcome.Applied => "applied",
        Outcome.Repeated => "repeated",
        Outcome.Overtaken => "overtaken",
        _ => throw new UnreachableException(),
    };
}
