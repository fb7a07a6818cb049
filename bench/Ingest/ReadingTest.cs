using System.Text.Json;

namespace WebhookService.Bench.Ingest;

/// <summary>What readers waited for while webhooks came in.</summary>
internal sealed record ReadingFindings(LoadResult Load, Timings DeviceById, Timings List, Timings MessagesOfTopic);

/// <summary>Questions over HTTP, one after another without pause, while webhooks come in.</summary>
internal static class ReadingTest
{
    public const int Connections = 64;

    public static async Task<ReadingFindings> RunAsync(ServiceProcess service, LoadPlan plan, CancellationToken cancellation)
    {
        using var http = new HttpTimer(service.Address);
        var random = new Random(1);
        var heard = JsonElement.Parse(await http.GetAsync("/api/v1/devices?sort=-lastSeenAt&limit=1000", cancellation)).GetProperty("items");
        int[] clients = [.. heard.EnumerateArray().Select(device => RequestTemplate.ClientOf(device.GetProperty("clientId").GetString()!))];
        int Any() => clients[random.Next(clients.Length)];
        Func<string>[] questions =
        [
            () => $"/api/v1/devices/{RequestTemplate.ClientId(Any())}",
            () => $"/api/v1/devices?status=online,offline&username={RequestTemplate.Username(Any())}",
            () => $"/api/v1/messages?topic={Uri.EscapeDataString(RequestTemplate.Topic(Any()))}",
        ];
        foreach (var question in questions) await http.GetAsync(question(), cancellation); // so that none is the first of its kind
        var load = Load.RunAsync(service.Address, plan, cancellation);
        var times = await http.MeasureAsync(questions, rounds: int.MaxValue, plan.Duration, cancellation);
        return new(await load, times[0], times[1], times[2]);
    }
}
