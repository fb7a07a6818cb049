using Dapper;
using Microsoft.Data.Sqlite;
using WebhookService.Application.Brokers;
using WebhookService.Application.Common;
using WebhookService.Application.Sessions;
using WebhookService.Domain;
using WebhookService.Domain.Devices;
using WebhookService.Domain.Sessions;
using WebhookService.Infrastructure.Persistence;

namespace WebhookService.Infrastructure.Tests.Persistence;

/// <summary>Values are bound and read by their place: each column comes back as itself, also where two neighbours are of one type.</summary>
public sealed class RowsTests
{
    private static readonly DateTimeOffset Noon = new(2026, 1, 1, 12, 0, 0, TimeSpan.Zero);
    private static readonly ClientId Client = new("c");

    [Fact]
    public async Task A_device_is_written_as_it_was_read()
    {
        await using var store = await OpenAsync();
        var (devices, activity) = (Row(store, "devices"), Row(store, "device_activity"));

        await store.SendAsync(new WriteAnew(Client));

        Assert.Equal(devices, Row(store, "devices"));
        Assert.Equal(activity, Row(store, "device_activity"));
    }

    [Fact]
    public async Task A_session_is_written_as_it_was_read()
    {
        await using var store = await OpenAsync();
        var before = Row(store, "sessions");
        var listed = new ListedClient(Client, "n1", Noon, TimeSpan.FromSeconds(1), "peer 5", new ConnectionDetails(), Connected: true, DisconnectedAt: null);

        await store.SendAsync(new RecordListed([listed], Noon.AddMinutes(50), Noon.AddMinutes(50))); // which changes but one column, and they are written together

        Assert.Equal(before.Replace($"listed_at={Ms(30)}", $"listed_at={Ms(50)}", StringComparison.Ordinal), Row(store, "sessions"));
        Assert.Contains($"listed_at={Ms(50)}", Row(store, "sessions"), StringComparison.Ordinal);
    }

    [Fact]
    public async Task An_end_that_names_no_session_is_read_as_it_was_written()
    {
        await using var store = await OpenAsync();
        var told = new TaskCompletionSource<Farewell>();

        await store.SendAsync(new ReadFarewell(Client, told));

        var farewell = await told.Task;
        Assert.Equal(("n2", "peer 6", Noon.AddMinutes(1), DisconnectReason.Kicked, "raw 7"), (farewell.Node, farewell.Peer, farewell.At, farewell.Reason, farewell.RawReason));
        Assert.Equal((FarewellKind.Absent, false, 8L, (DateTimeOffset?)Noon.AddMinutes(2)), (farewell.Kind, farewell.Matched, farewell.ExpirySeconds, farewell.AliveUntil));
    }

    /// <summary>With a client in whose rows each column has a value, as far as they agree with each other, and no two numbers or texts are the same but those of one end.</summary>
    private static async Task<AStore> OpenAsync()
    {
        var first = await AStore.OpenAsync(new AClock(Noon));
        await first.SendAsync(new RecordClientConnected(Client, "n1", Noon, "peer 5", new ConnectionDetails(), Noon));
        await first.SendAsync(new RecordClientDisconnected(Client, "n2", null, "peer 6", Noon.AddMinutes(1), "kicked", null, Noon));
        return await first.RestartAsync(() =>
        {
            using var file = new SqliteConnection($"Data Source={first.File};Pooling=False");
            Assert.Equal(1, Fill(file, "devices", ("client_id", "c"), ("status", 1), ("confidence", 2), ("fresh_confidence", 0), ("last_reason", "kicked"), ("tags", """{"a":"b"}"""),
                ("clean_start", 0), ("silent", 1), ("flapping", 0)));
            Assert.Equal(1, Fill(file, "device_activity", ("status", 1)));
            Assert.Equal(1, Fill(file, "sessions", ("node", "n1"), ("connected_at", Ms(0)), ("peer", "peer 5"), ("opened", 1), ("time_is_arrival", 0), ("clean_start", 0),
                ("closed_at", Ms(40)), ("end_at", Ms(40)), ("closed_reason", "kicked"), ("end_reason", "kicked"), ("closed_raw", "left"), ("end_raw", "left"),
                ("ended_by", "event"), ("alive_until", null), ("coarse", 1), ("listed_at", Ms(30))));
            Assert.Equal(1, Fill(file, "farewells", ("kind", (int)FarewellKind.Absent), ("node", "n2"), ("peer", "peer 6"), ("at", Ms(1)), ("reason", "kicked"), ("raw_reason", "raw 7"),
                ("expiry", 8), ("matched", 0), ("alive_until", Ms(2))));
        });
    }

    private static int Fill(SqliteConnection file, string table, params (string Column, object? Value)[] given)
    {
        var columns = file.Query<(string Name, string Type)>($"SELECT name, type FROM pragma_table_info('{table}') WHERE name NOT IN ('client_no', '{table.TrimEnd('s')}_no')")
            .Where(column => !given.Any(one => one.Column == column.Name)).ToList();
        var values = new DynamicParameters(given.ToDictionary(one => one.Column, one => one.Value));
        foreach (var (place, column) in columns.Index()) values.Add(column.Name, column.Type == "TEXT" ? $"{column.Name} itself" : 1_000L + place);
        return file.Execute($"UPDATE {table} SET {string.Join(", ", values.ParameterNames.Select(name => $"{name} = @{name}"))}", values);
    }

    private static string Row(AStore store, string table) => Assert.Single(store.Lines($"SELECT * FROM {table}"));

    private static long Ms(int minute) => Noon.AddMinutes(minute).ToUnixTimeMilliseconds();
}

/// <summary>Writes all of a device, not what changed alone.</summary>
internal sealed record WriteAnew(ClientId Client) : ICommand;

internal sealed class WriteAnewHandler(IDeviceRepository devices, UnitOfWork work) : ICommandHandler<WriteAnew>
{
    public async Task<Outcome> Handle(WriteAnew command, CancellationToken cancellationToken)
    {
        var device = await devices.FindAsync(command.Client, cancellationToken);
        work.Forget();
        await devices.SaveAsync(device!, cancellationToken);
        return Outcome.Applied;
    }
}

internal sealed record ReadFarewell(ClientId Client, TaskCompletionSource<Farewell> Told) : ICommand;

internal sealed class ReadFarewellHandler(ISessionRepository sessions) : ICommandHandler<ReadFarewell>
{
    public async Task<Outcome> Handle(ReadFarewell command, CancellationToken cancellationToken)
    {
        command.Told.SetResult((await sessions.OfAsync(command.Client, cancellationToken)).Farewells.Single());
        return Outcome.Applied;
    }
}
