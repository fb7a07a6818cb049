using System.Text.Json;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Logging;
using WebhookService.Api.Security;

namespace WebhookService.Bench.Ingest;

/// <summary>Reads a body as JSON, answers what the service answers, keeps nothing. The yardstick for ingest.</summary>
internal static class BareServer
{
    /// <summary>What Kestrel alone can do.</summary>
    public const string Verb = "bare";

    /// <summary>What the service's own host can do, with all that a webhook passes there before it is read.</summary>
    public const string HostVerb = "bare-host";

    private const string Path = "/webhook/emqx";
    private static readonly byte[] Answer = """{"result":"ok","accepted":1,"duplicates":0,"ignored":0}"""u8.ToArray();

    public static async Task RunAsync()
    {
        var builder = WebApplication.CreateSlimBuilder();
        builder.Logging.AddFilter("Microsoft.AspNetCore", LogLevel.Warning);
        await using var app = builder.Build();
        app.MapGet("/health/ready", () => Results.Ok());
        app.MapPost(Path, AnswerAsync);
        await app.RunAsync();
    }

    public static async Task RunInHostAsync()
    {
        await using var app = Api.Program.Create([]);
        app.MapPost(Path, AnswerAsync).RequireAuthorization(Policies.Ingest);
        await app.RunAsync();
    }

    private static async Task AnswerAsync(HttpContext context)
    {
        using var body = new MemoryStream((int)(context.Request.ContentLength ?? 0));
        await context.Request.Body.CopyToAsync(body, context.RequestAborted);
        Read(body.GetBuffer().AsSpan(0, (int)body.Length));
        context.Response.ContentType = "application/json";
        context.Response.ContentLength = Answer.Length;
        await context.Response.Body.WriteAsync(Answer, context.RequestAborted);
    }

    private static void Read(ReadOnlySpan<byte> json)
    {
        var reader = new Utf8JsonReader(json);
        while (reader.Read()) { }
    }
}
