using System.ComponentModel.DataAnnotations;
using WebhookService.Api.Lists;
using WebhookService.Application.Journal;
using WebhookService.Domain;

namespace WebhookService.Api.Events;

/// <summary>Which events of the journal are wanted.</summary>
public sealed class EventsQuery
{
    /// <summary>The sequence number of the last event already seen; 0, the beginning, if not given.</summary>
    [Range(0, long.MaxValue, ErrorMessage = "'after' is a sequence number: 0 or more.")]
    public long After { get; init; }

    /// <summary>Events on a page, 1 to 1000; 50 if not given.</summary>
    [Range(1, ListQuery.MaxLimit, ErrorMessage = "'limit' is 1 to 1000.")]
    public int? Limit { get; init; }

    /// <summary>Event types, or beginnings such as `device.*`, with commas between.</summary>
    public string? Types { get; init; }

    /// <summary>The events of this client only.</summary>
    public string? ClientId { get; init; }

    internal ListEvents ToQuery() => new(After, Limit ?? ListQuery.DefaultLimit)
    {
        Types = EventTypes.Parse(Types),
        Client = ClientId is null ? null : new ClientId(ClientId),
    };
}

/// <summary>Which events are wanted on the stream.</summary>
public sealed class EventStreamQuery
{
    /// <summary>The sequence number of the last event already seen; 0 for all there are. If not given, what happens from now on.</summary>
    [Range(0, long.MaxValue, ErrorMessage = "'after' is a sequence number: 0 or more.")]
    public long? After { get; init; }

    /// <summary>Event types, or beginnings such as `device.*`, with commas between.</summary>
    public string? Types { get; init; }

    /// <summary>The events of this client only.</summary>
    public string? ClientId { get; init; }

    internal ListEvents ToQuery(long after) => new(after, ListQuery.DefaultLimit)
    {
        Types = EventTypes.Parse(Types),
        Client = ClientId is null ? null : new ClientId(ClientId),
    };
}

/// <summary>Which events of a device are wanted: newest first, or those after a sequence number, oldest first.</summary>
public sealed class DeviceEventsQuery : ListQuery
{
    /// <summary>The sequence number of the last event already seen. Then events come oldest first, as in /events.</summary>
    [Range(0, long.MaxValue, ErrorMessage = "'after' is a sequence number: 0 or more.")]
    public long? After { get; init; }

    /// <summary>Event types, or beginnings such as `session.*`, with commas between.</summary>
    public string? Types { get; init; }
}

/// <summary>A page of the journal.</summary>
/// <param name="Next">The `after` of the next page. The journal goes on: all there is has been read once this equals <paramref name="Head"/>.</param>
/// <param name="Head">The newest sequence number.</param>
/// <param name="Oldest">The oldest sequence number kept; what lies between `after` and it is gone by retention.</param>
public sealed record EventsResponse(IReadOnlyList<EventView> Items, string Next, long Head, long? Oldest);
