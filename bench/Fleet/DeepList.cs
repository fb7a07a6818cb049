using System.Text.Json;

namespace WebhookService.Bench.Fleet;

/// <summary>A filtered, sorted list of devices: its first page and its ten-thousandth, reached by following cursors as a client would.</summary>
internal sealed class DeepList(string sort, HttpTimer timer)
{
    private const int PageSize = 50;
    private const int Stride = 1_000;
    private const int Far = 10_000;

    private readonly string list = $"/api/v1/devices?status=online&sort={sort}";
    private readonly List<string> deepPages = [];
    private int next;

    public string Sort { get; } = sort;

    public FleetQuery First => field ??= new($"devices, status=online, sort={Sort}, page 1", () => FirstPage, FleetQueries.ListLimitMs);

    public FleetQuery Deep => field ??= new($"devices, status=online, sort={Sort}, page {DeepPage:N0}", ADeepPage, FleetQueries.ListLimitMs);

    /// <summary>The page number that is reached: 10,000, or the middle of a smaller list.</summary>
    public long DeepPage { get; private set; }

    /// <summary>Follows the cursors in large pages, then in small ones; the last small pages are the ones to ask for.</summary>
    public async Task WalkAsync(long matching, CancellationToken cancellation)
    {
        DeepPage = matching / PageSize > Far ? Far : Math.Max(2, matching / PageSize / 2);
        var (rows, cursor) = ((DeepPage - 1) * PageSize, (string?)null);
        while (rows > 0)
        {
            var step = rows > Stride ? Stride : PageSize;
            cursor = await NextAsync(step, cursor, cancellation);
            rows -= step;
            if (step == PageSize) deepPages.Add($"{FirstPage}&cursor={Uri.EscapeDataString(cursor)}");
        }
    }

    private async Task<string> NextAsync(int limit, string? cursor, CancellationToken cancellation)
    {
        var body = await timer.GetAsync($"{list}&limit={limit}&fields=clientId{(cursor is null ? "" : $"&cursor={Uri.EscapeDataString(cursor)}")}", cancellation);
        using var page = JsonDocument.Parse(body);
        return page.RootElement.GetProperty("next").GetString() ?? throw new InvalidOperationException($"{list} ended early.");
    }

    private string FirstPage => $"{list}&limit={PageSize}";

    private string ADeepPage() => deepPages[next++ % deepPages.Count];
}
