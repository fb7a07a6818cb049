using WebhookService.Api.Webhooks;

namespace WebhookService.Api.Demo;

/// <summary>`--demo`: the whole service on a temporary database, with recorded and invented broker traffic coming in.</summary>
internal static class DemoMode
{
    public const string Switch = "--demo";

    public static void UseDemo(this WebApplicationBuilder builder)
    {
        var folder = Directory.CreateTempSubdirectory("webhook-service-demo-");
        builder.Configuration["Storage:ConnectionString"] = $"Data Source={Path.Combine(folder.FullName, "webhooks.db")}";
        builder.Configuration["Security:CredentialsFile"] = Path.Combine(folder.FullName, "credentials.json");
        builder.Services.AddSingleton<IDemoSink, IntakeSink>();
        builder.Services.AddDemo();
        builder.Services.AddHostedService(_ => new TemporaryFolder(folder));
    }

    private sealed class IntakeSink(Intake intake, WebhookSources sources, TimeProvider time) : IDemoSink
    {
        public async Task SendAsync(ReadOnlyMemory<byte> body, CancellationToken cancellation) =>
            await intake.TakeAsync(sources.Default, new HeaderDictionary(), "application/json", body, time.GetUtcNow(), requestId: "demo");
    }

    /// <summary>Removes the demo's data when the service has stopped.</summary>
    private sealed class TemporaryFolder(DirectoryInfo folder) : IHostedService, IDisposable
    {
        public Task StartAsync(CancellationToken cancellationToken) => Task.CompletedTask;

        public Task StopAsync(CancellationToken cancellationToken) => Task.CompletedTask;

        public void Dispose()
        {
            if (folder.Exists) folder.Delete(recursive: true);
        }
    }
}
