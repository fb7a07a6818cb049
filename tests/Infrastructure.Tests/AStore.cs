using Dapper;
using MediatR;
using Microsoft.Data.Sqlite;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using WebhookService.Application;
using WebhookService.Application.Brokers;
using WebhookService.Application.Common;
using WebhookService.Application.Devices;
using WebhookService.Infrastructure.Persistence;
using WebhookService.Infrastructure.Retention;

namespace WebhookService.Infrastructure.Tests;

/// <summary>The service without its HTTP side, on a SQLite file of its own: commands and queries go in through MediatR as in production.</summary>
internal sealed class AStore : IAsyncDisposable
{
    private readonly string folder;
    private readonly TimeProvider time;
    private readonly IReadOnlyList<IBroker> brokers;
    private bool ownsFolder;
    private readonly ServiceProvider services;

    private AStore(string folder, bool ownsFolder, TimeProvider time, IReadOnlyList<IBroker> brokers, (string Key, string Value)[] settings)
    {
        (this.folder, this.ownsFolder, this.time, this.brokers) = (folder, ownsFolder, time, brokers);
        var configuration = new ConfigurationBuilder()
            .AddInMemoryCollection([KeyValuePair.Create("Storage:ConnectionString", (string?)$"Data Source={File};Default Timeout=60")])
            .AddInMemoryCollection(settings.Select(one => KeyValuePair.Create(one.Key, (string?)one.Value)))
            .Build();
        services = new ServiceCollection()
            .AddSingleton<IConfiguration>(configuration)
            .AddSingleton(time)
            .AddLogging()
            .AddMetrics()
            .AddApplication(configuration)
            .AddInfrastructure(configuration)
            .AddSingleton(brokers)
            .AddRequestHandlers(typeof(AStore).Assembly)
            .BuildServiceProvider();
    }

    public string File => Path.Combine(folder, "webhooks.db");

    public Database Database => services.GetRequiredService<Database>();

    public static Task<AStore> OpenAsync(params (string Key, string Value)[] settings) => OpenAsync(TimeProvider.System, settings);

    public static Task<AStore> OpenAsync(TimeProvider time, params (string Key, string Value)[] settings) => OpenAsync(time, [], settings);

    public static Task<AStore> OpenAsync(TimeProvider time, IReadOnlyList<IBroker> brokers, params (string Key, string Value)[] settings) =>
        OpenInAsync(Directory.CreateTempSubdirectory("store-").FullName, time, brokers, settings);

    /// <summary>With one more part of the writer's transactions, which is told before the others.</summary>
    public static async Task<AStore> OpenAsync(IUnitOfWorkPart first)
    {
        var store = new AStore(Directory.CreateTempSubdirectory("store-").FullName, ownsFolder: true, TimeProvider.System, [], []);
        store.Get<UnitOfWork>().Enlist(first);
        await store.StartAsync();
        return store;
    }

    /// <summary>Opens the database that lies in a folder, which goes away with the store.</summary>
    public static Task<AStore> OpenInAsync(string folder, TimeProvider time, params (string Key, string Value)[] settings) => OpenInAsync(folder, time, [], settings);

    private static async Task<AStore> OpenInAsync(string folder, TimeProvider time, IReadOnlyList<IBroker> brokers, (string Key, string Value)[] settings)
    {
        var store = new AStore(folder, ownsFolder: true, time, brokers, settings);
        await store.StartAsync();
        return store;
    }

    /// <summary>Stops the service and starts another on the same file.</summary>
    /// <param name="meanwhile">What happens while none runs.</param>
    public async Task<AStore> RestartAsync(Action? meanwhile = null, params (string Key, string Value)[] settings)
    {
        await StopAsync();
        meanwhile?.Invoke();
        var next = new AStore(folder, ownsFolder, time, brokers, settings);
        ownsFolder = false;
        await next.StartAsync();
        return next;
    }

    public Task<T> SendAsync<T>(IRequest<T> request) => services.GetRequiredService<IMediator>().Send(request);

    public T Get<T>()
        where T : notnull => services.GetRequiredService<T>();

    public IReadOnlyList<T> Query<T>(string sql, object? parameters = null)
    {
        using var connection = Database.OpenForReading();
        return connection.Query<T>(sql, parameters).AsList();
    }

    /// <summary>The rows of a query as text, each column with its name.</summary>
    public IReadOnlyList<string> Lines(string sql) => [.. Query<object>(sql).Select(row => string.Join(
        ", ", ((IDictionary<string, object?>)row).Select(column => $"{column.Key}={(column.Value is byte[] bytes ? Convert.ToHexString(bytes) : column.Value)}")))];

    /// <summary>What a host does whose start fails: its services are disposed of, and none was stopped.</summary>
    public async Task DropAsync()
    {
        await services.DisposeAsync();
        Directory.Delete(folder, recursive: true);
    }

    public async ValueTask DisposeAsync()
    {
        await StopAsync();
        await services.DisposeAsync();
        SqliteConnection.ClearAllPools();
        if (ownsFolder) Directory.Delete(folder, recursive: true);
    }

    /// <summary>Retention looks for work by the real clock, at moments that no test knows: here it does so when a test has it do a round.</summary>
    private IEnumerable<IHostedService> Hosted => services.GetServices<IHostedService>().Where(hosted => hosted is not RetentionWorker);

    private async Task StartAsync()
    {
        var isNew = !System.IO.File.Exists(File);
        foreach (var hosted in Hosted) await hosted.StartAsync(CancellationToken.None);

        // The deadlines' worker does so soon after its start, which makes the writer forget all it remembers and every device due: not in the midst of a test.
        if (isNew) await Overload.WaitOutAsync(() => SendAsync(new AdoptRules()), TimeProvider.System, CancellationToken.None);
    }

    private async Task StopAsync()
    {
        foreach (var hosted in Hosted) await hosted.StopAsync(CancellationToken.None);
    }
}
