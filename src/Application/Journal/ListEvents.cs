using WebhookService.Application.Common;
using WebhookService.Domain;

namespace WebhookService.Application.Journal;

/// <summary>
/// The journal after a sequence number, oldest first. The work for one page is bounded: where few of very many events match, a page may hold
/// fewer than asked for, even none, and still lead on.
/// </summary>
/// <param name="After">The last sequence number already seen; 0 from the beginning.</param>
public sealed record ListEvents(long After, int Limit) : IQuery<EventPage>
{
    public const long DefaultMaxChars = 8 * 1024 * 1024;

    public ClientId? Client { get; init; }
    public EventTypes Types { get; init; } = EventTypes.All;

    /// <summary>A page ends before its data is larger than so many characters, whatever its limit: reports can be as large as a request. One event always fits.</summary>
    public long MaxChars { get; init; } = DefaultMaxChars;
}

/// <summary>What happened to one device, newest first. The cursor is the sequence number of the last event.</summary>
public sealed record ListDeviceEvents(ClientId Client, PageRequest Page) : IQuery<Page<EventView>>
{
    public EventTypes Types { get; init; } = EventTypes.All;
}

/// <param name="Next">Where to go on: the `after` of the next page. A journal has no last page; all is read once this equals <paramref name="Head"/>.</param>
/// <param name="Head">The newest sequence number.</param>
/// <param name="Oldest">The oldest one; events between the `after` asked for and this are gone by retention. Null if the journal is empty.</param>
public sealed record EventPage(IReadOnlyList<EventView> Items, long Next, long Head, long? Oldest);

/// <summary>One entry of the journal.</summary>
public sealed record EventView
{
    public required long Seq { get; init; }
    public required string Type { get; init; }

    /// <summary>When it happened by the broker's clock, or when it reached us where the broker tells no time.</summary>
    public required DateTimeOffset At { get; init; }
    public string? ClientId { get; init; }

    /// <summary>An object: what the event says; `message` (see <see cref="EventMessageView"/>) where it is about one; `body` of a report, as it was sent.</summary>
    public required RawJson Data { get; init; }
}

/// <summary>The message an event is about, without its payload. An event whose message is gone by retention has null here.</summary>
public sealed record EventMessageView(string Id, string Topic, int Qos, bool Retain, long Bytes, DateTimeOffset PublishedAt, string ClientId);

/// <summary>Event types to choose: names, or beginnings such as `device.*`.</summary>
public sealed class EventTypes
{
    public static readonly EventTypes All = new([]);

    private readonly IReadOnlyList<string> patterns;

    private EventTypes(IReadOnlyList<string> patterns) => this.patterns = patterns;

    public bool IsAll => patterns.Count == 0;

    /// <param name="list">Names or beginnings with commas between; null or empty for all.</param>
    /// <exception cref="DomainException">A `*` stands elsewhere than behind a dot at the end.</exception>
    public static EventTypes Parse(string? list)
    {
        if (string.IsNullOrEmpty(list)) return All;
        var names = list.Split(',', StringSplitOptions.TrimEntries);
        foreach (var pattern in names)
        {
            if (pattern.Length == 0) throw new DomainException("'types' holds an empty name. Write it as 'device.*,message.published'.", "types");
            var star = pattern.IndexOf('*', StringComparison.Ordinal);
            if (star >= 0 && pattern is not "*" && (star < pattern.Length - 1 || star == 0 || pattern[star - 1] is not '.'))
                throw new DomainException($"In the event type '{pattern}' the '*' does not stand behind a dot at the end. Write a whole name or a beginning such as 'device.*'.", "types");
        }
        return names.Contains("*") ? All : new(names);
    }

    public bool Include(string type) => IsAll || patterns.Any(pattern =>
        pattern.EndsWith('*') ? type.AsSpan().StartsWith(pattern.AsSpan(0, pattern.Length - 1), StringComparison.Ordinal) : type == pattern);
}
