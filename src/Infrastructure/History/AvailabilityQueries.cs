using System.Runtime.CompilerServices;
using Dapper;
using Microsoft.Extensions.Options;
using WebhookService.Application.Common;
using WebhookService.Application.Devices;
using WebhookService.Application.History;
using WebhookService.Domain.History;
using WebhookService.Domain.Sessions;
using WebhookService.Infrastructure.Devices;
using WebhookService.Infrastructure.Persistence;

namespace WebhookService.Infrastructure.History;

/// <summary>Figures over the timelines of one device or of all that pass a filter, which are drawn one after the other and forgotten.</summary>
internal sealed class AvailabilityQueries(Database database, ActivityMover mover, IOptions<ActivityOptions> activity, TimeProvider time) :
    IQueryHandler<GetAvailability, DeviceAvailabilityView?>,
    IQueryHandler<GetFleetAvailability, FleetAvailabilityView>,
    IQueryHandler<GetPresenceHistory, PresenceHistoryView>
{
    /// <summary>Any but that of client ids, in which few devices of a user or node would not lead.</summary>
    internal static readonly DeviceSort InNoOrder = new(DeviceSortKey.FirstSeenAt, Descending: false);

    public Task<DeviceAvailabilityView?> Handle(GetAvailability request, CancellationToken cancellationToken)
    {
        var now = time.GetUtcNow();
        var span = request.Span.Until(now);
        using var connection = database.OpenForReading();
        using var snapshot = connection.BeginTransaction(deferred: true);
        var parameters = new DynamicParameters(new { client = request.Client.Value });
        var device = new LedgerReader(connection).Read("devices d", "WHERE d.client_id = @client", parameters, span.From, span.To, now, cancellationToken).SingleOrDefault();
        if (device is null) return Task.FromResult<DeviceAvailabilityView?>(null);

        var timeline = Timeline.Of(device.Ledger, now);
        var figures = new Availability(span.From, span.To);
        figures.Add(timeline);
        return Task.FromResult<DeviceAvailabilityView?>(new(device.ClientId, span, figures) { Stretches = request.Stretches ? Stretches(timeline, span) : null });
    }

    public async Task<FleetAvailabilityView> Handle(GetFleetAvailability request, CancellationToken cancellationToken)
    {
        var now = time.GetUtcNow();
        var span = request.Span.Until(now);
        var (all, devices) = (new Availability(span.From, span.To), 0L);
        var worst = new PriorityQueue<WorstDevice, WorstDevice>(BestFirst);
        await foreach (var (device, timeline) in TimelinesAsync(request.Filter, span, now, cancellationToken))
        {
            devices++;
            var one = new Availability(span.From, span.To);
            one.Add(timeline);
            all.Add(one);
            if (one.Ratio is not < 1 || request.Worst == 0) continue;
            var figures = new WorstDevice(device.ClientId, one.Ratio.Value, one.Outages, one.OfflineSeconds);
            if (worst.Count < request.Worst) worst.Enqueue(figures, figures);
            else worst.EnqueueDequeue(figures, figures);
        }
        return new(devices, [.. worst.UnorderedItems.Select(item => item.Element).OrderDescending(BestFirst)], span, all);
    }

    public async Task<PresenceHistoryView> Handle(GetPresenceHistory request, CancellationToken cancellationToken)
    {
        var now = time.GetUtcNow();
        var span = request.Span.Until(now);
        var buckets = new PresenceBuckets(span.From, span.To, request.Bucket);
        await foreach (var (device, timeline) in TimelinesAsync(request.Filter, span, now, cancellationToken)) buckets.Add(device.Ledger.Sessions, timeline);
        return new(
            span.From, span.To, request.Bucket.TotalSeconds, buckets.Devices,
            [
                .. buckets.Read().Select(bucket => new PresenceBucketView(
                    bucket.At, Rounded(bucket.Online), Rounded(bucket.Offline), Rounded(bucket.Unknown), bucket.Connects,
                    bucket.Disconnects.Values.Sum(), PresenceBucketView.Spelt(bucket.Disconnects))),
            ]);
    }

    private static double Rounded(double devices) => Math.Round(devices, 1, MidpointRounding.AwayFromZero);

    private async IAsyncEnumerable<(DeviceHistory Device, IReadOnlyList<Stretch> Timeline)> TimelinesAsync(
        DeviceFilter filter, HistorySpan span, DateTimeOffset now, [EnumeratorCancellation] CancellationToken cancellation)
    {
        var pick = new DevicePick(filter, InNoOrder, cursor: null, now, activity.Value.ExpectedInterval);
        if (pick.ReadsActivity) await mover.CatchUpAsync(cancellation);
        using var connection = database.OpenForReading();
        using var snapshot = connection.BeginTransaction(deferred: true);
        var (tables, where) = pick.Passing(connection);
        foreach (var device in new LedgerReader(connection).Read(tables, where, pick.Parameters, span.From, span.To, now, cancellation))
            yield return (device, Timeline.Of(device.Ledger, now));
    }

    /// <summary>The stretches within the span; those between which nothing changed are one.</summary>
    private static List<StretchView> Stretches(IReadOnlyList<Stretch> timeline, HistorySpan span)
    {
        var stretches = new List<StretchView>();
        foreach (var stretch in timeline)
        {
            if (stretch.To <= span.From || stretch.From >= span.To) continue;
            var view = new StretchView(
                stretch.From > span.From ? stretch.From : span.From, stretch.To < span.To ? stretch.To : span.To, stretch.Status, stretch.Reason, stretch.Confidence);
            if (stretches is [.., { } last] && stretch.Status is not ConnectivityStatus.Offline && (last.Status, last.Confidence) == (view.Status, view.Confidence))
                stretches[^1] = last with { To = view.To };
            else stretches.Add(view);
        }
        if (stretches.Count > DeviceAvailabilityView.MaxStretches) stretches.RemoveRange(0, stretches.Count - DeviceAvailabilityView.MaxStretches);
        return stretches;
    }

    private static readonly Comparer<WorstDevice> BestFirst = Comparer<WorstDevice>.Create((one, other) =>
    {
        var order = other.Ratio.CompareTo(one.Ratio);
        if (order == 0) order = one.OfflineSeconds.CompareTo(other.OfflineSeconds);
        return order == 0 ? string.CompareOrdinal(other.ClientId, one.ClientId) : order;
    });
}
