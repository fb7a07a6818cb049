using System.Net;
using System.Net.Http.Headers;
using System.Text;
using System.Text.Json.Nodes;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting.Server;
using Microsoft.AspNetCore.Hosting.Server.Features;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using WebhookService.Tests;

namespace WebhookService.Api.Tests;

/// <summary>
/// The whole service on a real Kestrel at 127.0.0.1 and a free port, its data in a folder of its own that goes away with
/// it. A fixture as it stands (<c>IClassFixture&lt;ApiHost&gt;</c>), or started by a test with settings of its own:
/// <code>await using var api = await ApiHost.StartAsync(new() { ["Ingest:MaxBodyBytes"] = "1000" });</code>
/// </summary>
public sealed class ApiHost : IAsyncLifetime, IAsyncDisposable
{
    public const string IngestToken = "ingest-token-of-the-tests";
    public const string ReadToken = "read-token-of-the-tests";
    public const string ManageToken = "manage-token-of-the-tests";

    private readonly List<HttpClient> clients = [];
    private readonly LogCollector logs = new();
    private WebApplication? app;
    private Dictionary<string, string?> settings = [];
    private Action<WebApplicationBuilder>? configure;
    private Action<WebApplication>? map;

    /// <summary>The folder of the database, the credentials file and whatever else the service keeps.</summary>
    public string DataDirectory { get; } = Directory.CreateTempSubdirectory("webhooks-").FullName;

    public Uri Address { get; private set; } = new("http://127.0.0.1");

    /// <summary>Clients that bring the token of one scope (<c>manage</c> includes <c>read</c>), and one that brings none.</summary>
    public HttpClient Ingest { get; private set; } = null!;

    public HttpClient Read { get; private set; } = null!;

    public HttpClient Manage { get; private set; } = null!;

    public HttpClient Anonymous { get; private set; } = null!;

    public WebApplication App => app ?? throw new InvalidOperationException("The service is stopped.");

    public IServiceProvider Services => App.Services;

    /// <summary>What was logged so far, one line per entry, exceptions included.</summary>
    public IReadOnlyList<string> Logs => logs.Lines;

    /// <param name="settings">Configuration keys and values; they win over the defaults below.</param>
    /// <param name="configure">Adds or replaces services, after those of the product.</param>
    /// <param name="map">Adds routes, before the start.</param>
    /// <param name="tokens">Whether the three tokens of the scopes are configured.</param>
    public static async Task<ApiHost> StartAsync(
        Dictionary<string, string?>? settings = null,
        Action<WebApplicationBuilder>? configure = null,
        Action<WebApplication>? map = null,
        bool tokens = true)
    {
        var host = new ApiHost { configure = configure, map = map };
        host.settings = host.Defaults(tokens);
        foreach (var (key, value) in settings ?? []) host.settings[key] = value;
        try
        {
            await host.StartAgainAsync();
            return host;
        }
        catch
        {
            await host.DisposeAsync();
            throw;
        }
    }

    /// <summary>Stops the service as an operator would; the data stay. <see cref="StartAgainAsync"/> brings it back on another port.</summary>
    public async Task StopAsync()
    {
        if (app is null) return;

        foreach (var client in clients) client.Dispose();
        clients.Clear();
        await app.StopAsync();
        await app.DisposeAsync();
        app = null;
    }

    /// <summary>Changes a setting for the next start.</summary>
    public void Set(string key, string? value) => settings[key] = value;

    public async Task StartAgainAsync()
    {
        var arguments = settings.Where(setting => setting.Value is not null).Select(setting => $"--{setting.Key}={setting.Value}").ToArray();
        app = Program.Create(arguments, builder =>
        {
            builder.Logging.ClearProviders().AddProvider(logs).SetMinimumLevel(LogLevel.Information);
            configure?.Invoke(builder);
        });
        map?.Invoke(app);
        await app.StartAsync();

        Address = new(app.Services.GetRequiredService<IServer>().Features.Get<IServerAddressesFeature>()!.Addresses.First());
        (Ingest, Read, Manage, Anonymous) = (ClientWith(IngestToken), ClientWith(ReadToken), ClientWith(ManageToken), ClientWith(null));
    }

    /// <summary>A client that brings this token, or none. The host disposes it.</summary>
    public HttpClient ClientWith(string? token)
    {
        var client = new HttpClient(new SocketsHttpHandler { AllowAutoRedirect = false, UseProxy = false, RequestHeaderEncodingSelector = static (_, _) => Encoding.UTF8 })
        {
            BaseAddress = Address,
            Timeout = Eventually.Patience,
        };
        if (token is not null) client.DefaultRequestHeaders.Authorization = new AuthenticationHeaderValue("Bearer", token);
        clients.Add(client);
        return client;
    }

    /// <summary>What the comparison of this number with the broker's list came to, as soon as it is over; the first is that of the start.</summary>
    public async Task<JsonObject> ComparedAsync(string id)
    {
        JsonObject comparison = [];
        await Eventually.IsAsync(async () =>
        {
            var answer = await Manage.GetAsync($"/api/v1/broker/reconciliations/{id}");
            return answer.StatusCode is HttpStatusCode.OK && (comparison = await answer.JsonAsync())["finishedAt"] is not null;
        });
        return comparison;
    }

    public async ValueTask DisposeAsync()
    {
        await StopAsync();
        Directory.Delete(DataDirectory, recursive: true);
    }

    async Task IAsyncLifetime.InitializeAsync()
    {
        settings = Defaults(tokens: true);
        await StartAgainAsync();
    }

    async Task IAsyncLifetime.DisposeAsync() => await DisposeAsync();

    private Dictionary<string, string?> Defaults(bool tokens)
    {
        var defaults = new Dictionary<string, string?>
        {
            ["urls"] = "http://127.0.0.1:0",
            ["Storage:ConnectionString"] = $"Data Source={Path.Combine(DataDirectory, "webhooks.db")}",
            ["Security:CredentialsFile"] = Path.Combine(DataDirectory, "credentials.json"),
            ["Presence:StaleAfter"] = "12:00:00", // tests tell of times that are some minutes past, and a busy machine takes long
        };
        if (!tokens) return defaults;

        foreach (var (index, (scope, token)) in new[] { ("ingest", IngestToken), ("read", ReadToken), ("manage", ManageToken) }.Index())
        {
            defaults[$"Security:Tokens:{index}:Token"] = token;
            defaults[$"Security:Tokens:{index}:Name"] = scope;
            defaults[$"Security:Tokens:{index}:Scopes:0"] = scope;
        }

        return defaults;
    }

    private sealed class LogCollector : ILoggerProvider
    {
        private readonly List<string> lines = [];

        public IReadOnlyList<string> Lines
        {
            get
            {
                lock (lines) return [.. lines];
            }
        }

        public ILogger CreateLogger(string categoryName) => new Logger(this, categoryName);

        public void Dispose()
        {
        }

        private sealed class Logger(LogCollector collector, string category) : ILogger
        {
            public IDisposable? BeginScope<TState>(TState state) where TState : notnull => null;

            public bool IsEnabled(LogLevel logLevel) => true;

            public void Log<TState>(LogLevel logLevel, EventId eventId, TState state, Exception? exception, Func<TState, Exception?, string> formatter)
            {
                lock (collector.lines) collector.lines.Add($"{logLevel} {category}: {formatter(state, exception)} {exception}".TrimEnd());
            }
        }
    }
}
