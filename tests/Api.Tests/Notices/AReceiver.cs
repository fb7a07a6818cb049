using System.Collections.Concurrent;
using System.Text.Json.Nodes;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;

namespace WebhookService.Api.Tests.Notices;

/// <summary>Somebody who is posted notices, one path for each target.</summary>
internal sealed class AReceiver : IAsyncDisposable
{
    private readonly WebApplication app;

    private AReceiver(WebApplication app) => this.app = app;

    public string Url => app.Urls.First();

    public ConcurrentQueue<(string Target, string Id, JsonNode Body)> Got { get; } = new();

    /// <summary>What is answered, by target.</summary>
    public ConcurrentDictionary<string, int> Status { get; } = new();

    /// <summary>Posts that came, taken or not.</summary>
    public int Posts { get; private set; }

    public static async Task<AReceiver> StartAsync()
    {
        var builder = WebApplication.CreateSlimBuilder();
        builder.WebHost.UseUrls("http://127.0.0.1:0");
        var receiver = new AReceiver(builder.Build());
        receiver.app.MapPost("/{target}", async (string target, HttpRequest request) =>
        {
            var body = (await JsonNode.ParseAsync(request.Body))!;
            lock (receiver) receiver.Posts++;
            var status = receiver.Status.GetValueOrDefault(target, 200);
            if (status == 200) receiver.Got.Enqueue((target, request.Headers["webhook-id"].ToString(), body));
            return Results.StatusCode(status);
        });
        await receiver.app.StartAsync();
        return receiver;
    }

    /// <summary>What a target took, as `type subject`, bundles as what they list.</summary>
    public IReadOnlyList<string> Of(string target) => [.. Got.Where(one => one.Target == target).SelectMany(one => LinesOf(one.Body))];

    public ValueTask DisposeAsync() => app.DisposeAsync();

    private static IEnumerable<string> LinesOf(JsonNode body) =>
        (body["data"]!["notices"]?.AsArray() ?? [body["data"]!.DeepClone()]).Select(one => $"{one!["state"]} {one["clientId"] ?? one["handler"]}");
}
