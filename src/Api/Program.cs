using WebhookService.Api.Dashboard;
using WebhookService.Api.Demo;
using WebhookService.Api.Devices;
using WebhookService.Api.Errors;
using WebhookService.Api.Events;
using WebhookService.Api.Json;
using WebhookService.Api.Operating;
using WebhookService.Api.Pipelining;
using WebhookService.Api.Security;
using WebhookService.Api.Webhooks;
using WebhookService.Application;
using WebhookService.Infrastructure;
using WebhookService.Infrastructure.Plugins;

namespace WebhookService.Api;

/// <summary>The table of contents: one line per room.</summary>
public partial class Program
{
    public static async Task<int> Main(string[] args)
    {
        NativeMemory.ShareArenas();
        try
        {
            await using var app = Create(args, builder => builder.Services.AddHostedService<SocketThreads>()); // here, because the threads are those of the whole process
            await app.RunAsync();
            return 0;
        }
        catch (Exception failure) when (StartMistake.Of(failure) is { } sentence)
        {
            await Console.Error.WriteLineAsync(sentence);
            return 1;
        }
    }

    /// <summary>The whole service, ready to be started. Tests add services of their own last, so that theirs win.</summary>
    public static WebApplication Create(string[] args, Action<WebApplicationBuilder>? configure = null)
    {
        // Settings files are looked at every few seconds, not watched: the system would tell of each write to a database that lies beside them.
        Environment.SetEnvironmentVariable("DOTNET_USE_POLLING_FILE_WATCHER", "true");
        var builder = WebApplication.CreateBuilder(new WebApplicationOptions
        {
            Args = [.. args.Where(arg => arg != DemoMode.Switch)],
            ApplicationName = typeof(Program).Assembly.GetName().Name,
            // Settings and pages are found beside the program wherever it is started from; data lies in the working directory.
            ContentRootPath = AppContext.BaseDirectory,
        });
        builder.WebHost.ConfigureKestrel(kestrel =>
        {
            kestrel.AddServerHeader = false;
            kestrel.UsePipelining();
        });
        builder.WebHost.UseSockets(sockets =>
        {
            WebhooksRoom.StayOnOneThread(sockets);
            PipeliningRoom.ReadLittleAhead(sockets);
        });
        if (!HasAddress(builder.Configuration)) builder.WebHost.UseUrls("http://localhost:5080");

        if (args.Contains(DemoMode.Switch)) builder.UseDemo();
        builder.Services.AddApplication(builder.Configuration);
        builder.Services.AddInfrastructure(builder.Configuration);
        builder.Services.AddJson();
        builder.Services.AddErrors();
        builder.Services.AddSecurity();
        builder.Services.AddOperating(builder.Configuration);
        builder.Services.AddWebhooks(builder.Configuration);
        builder.Services.AddDevices();
        builder.Services.AddEvents(builder.Configuration);
        builder.Services.AddPlugins(builder.Configuration, builder.Environment.ContentRootPath);
        builder.Services.AddControllers();
        builder.Services.HushHost();
        configure?.Invoke(builder);

        var app = builder.Build();
        app.UnhushWhenStarted();
        app.UseRequestIds(WebhooksRoom.IsElsewhere);
        app.UseErrors();
        app.UseWhen(WebhooksRoom.IsElsewhere, readers => readers.UseOtherThreads().UseHeadAsGet().UseDashboard().UseDocs().UseClientIdsInPaths());
        app.UseRouting();
        app.UseSecurity();
        app.MapOperating();
        app.MapControllers().TakeWebhooksStraight();
        return app;
    }

    private static readonly string[] AddressKeys = ["urls", "http_ports", "https_ports"];

    private static bool HasAddress(ConfigurationManager configuration) =>
        AddressKeys.Any(key => !string.IsNullOrEmpty(configuration[key]))
        || configuration.GetSection("Kestrel:Endpoints").GetChildren().Any();
}
