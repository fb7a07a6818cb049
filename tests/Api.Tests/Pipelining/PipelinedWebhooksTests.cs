using System.Diagnostics.Metrics;
using System.Net.Sockets;
using System.Text;
using MediatR;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using Microsoft.Data.Sqlite;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Options;
using WebhookService.Api.Operating;
using WebhookService.Application.Common;
using WebhookService.Domain;
using WebhookService.Tests;

namespace WebhookService.Api.Tests.Pipelining;

public sealed class PipelinedWebhooksTests(ApiHost shared) : IClassFixture<ApiHost>
{
    [Fact]
    public async Task A_thousand_at_once_are_answered_each_for_itself_and_in_order()
    {
        using var client = await RawClient.ConnectAsync(shared.Address);
        var known = Event("known-before");
        await client.SendAsync(RawClient.Post(known));
        await client.ReadAsync(1);
        var requests = Enumerable.Range(0, 1_000).Select(number => (number % 10) switch
        {
            3 => new Wanted(RawClient.Post(known), 200, "\"duplicates\":1"),
            5 => new Wanted(RawClient.Post($"broken-{number}"), 400, "malformed"),
            6 => new Wanted(RawClient.Post(Event($"nobody-{number}"), token: "wrong"), 401, "credential-invalid"),
            7 => new Wanted(RawClient.Post("{}", $"/webhook/unknown-{number}"), 404, "not-found"),
            8 when number % 100 == 8 => new Wanted(RawClient.Get($"/nothing-{number}"), 404, $"/nothing-{number}."),
            _ => new Wanted(RawClient.Post(Event($"thousand-{number}")), 200, "\"accepted\":1"),
        }).ToList();

        var sending = client.SendAsync(requests.Select(request => request.Request));
        var answers = await client.ReadAsync(1_000);
        await sending;

        foreach (var (request, answer) in requests.Zip(answers))
        {
            Assert.Equal((request.Status, request.Says), (answer.Status, SaysOr(request.Says, answer.Body)));
        }

        await client.SendAsync(RawClient.Get("/health/live"));
        Assert.Equal(200, (await client.ReadAsync(1))[0].Status);
    }

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(3)]
    [InlineData(4)]
    [InlineData(5)]
    public async Task However_the_bytes_arrive_the_answers_are_the_same(int seed)
    {
#pragma warning disable CA5394 // a seed that can be repeated
        var random = new Random(seed);
        var requests = Enumerable.Range(0, 60).Select(number => random.Next(12) switch
        {
            0 => new Wanted(RawClient.Get("/health/live"), 200, "healthy"),
            1 => new Wanted(RawClient.Post(Event($"large-{seed}-{number}", padding: 100_000)), 200, "\"accepted\":1"),
            2 => new Wanted(RawClient.Post("broken"), 400, "malformed"),
            3 => new Wanted(RawClient.Post("{}", "/nothing"), 404, "/nothing."),
            4 => new Wanted(RawClient.Post(Event($"alone-{seed}-{number}"), headers: "Connection: keep-alive, x\r\n"), 200, "\"accepted\":1"),
            5 when number == 50 => new Wanted($"POST /webhook HTTP/1.1\r\nHost: x\r\ntoken: {ApiHost.IngestToken}\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{{}}\r\n0\r\n\r\n", 200, "\"ignored\":1"),
            _ => new Wanted(RawClient.Post(Event($"small-{seed}-{number}")), 200, "\"accepted\":1"),
        }).ToList();
        var bytes = Encoding.UTF8.GetBytes(string.Concat(requests.Select(request => request.Request)));
        using var client = await RawClient.ConnectAsync(shared.Address);

        var sending = Task.Run(async () =>
        {
            for (var at = 0; at < bytes.Length;)
            {
                var part = Math.Min(bytes.Length - at, random.Next(4) switch { 0 => 1, 1 => random.Next(1, 40), 2 => random.Next(1, 600), _ => random.Next(1, 8_000) });
                await client.SendAsync(bytes.AsMemory(at, part));
                at += part;
                if (random.Next(3) == 0) await Task.Yield();
                if (random.Next(60) == 0) await Task.Delay(1); // an answer between two fragments is one of the cases
            }
        });
        var answers = await client.ReadAsync(requests.Count);
        await sending;
#pragma warning restore CA5394

        Assert.All(requests.Zip(answers), pair => Assert.Equal((pair.First.Status, pair.First.Says), (pair.Second.Status, SaysOr(pair.First.Says, pair.Second.Body))));
    }

    [Theory]
    [InlineData("100", 100)]
    [InlineData("7", 7)]
    [InlineData("1", 1)]
    public async Task As_many_as_configured_wait_for_the_writer_together_and_go_to_it_in_order(string pipelining, int together)
    {
        await using var api = await StartAsync(new() { ["Ingest:Pipelining"] = pipelining });
        using var client = await RawClient.ConnectAsync(api.Address);
        using (var writer = await HeldWriter.HoldAsync(api))
        {
            await client.SendAsync(Enumerable.Range(0, 150).Select(number => RawClient.Post(Event($"in-order-{number:000}"))));
            await Eventually.IsAsync(() => Waiting(api) >= together);

            Assert.InRange(Waiting(api), together, together + OfTheService);
        }

        Assert.All(await client.ReadAsync(150), answer => Assert.Equal(200, answer.Status));
        Assert.Equal(Enumerable.Range(0, together).Select(number => $"in-order-{number:000}"), Stored(api).Take(together));
    }

    [Fact]
    public async Task What_is_answered_is_in_the_file()
    {
        using var client = await RawClient.ConnectAsync(shared.Address);
        await client.SendAsync(Enumerable.Range(0, 200).Select(number => RawClient.Post(Event($"durable-{number}"))));

        for (var number = 0; number < 200; number++)
        {
            Assert.Equal(200, (await client.ReadAsync(1))[0].Status);
            Assert.Contains($"durable-{number}", Stored(shared));
        }
    }

    [Fact]
    public async Task A_client_that_has_no_more_to_say_still_gets_its_answers()
    {
        await using var api = await StartAsync();
        using var client = await RawClient.ConnectAsync(api.Address);
        using (var writer = await HeldWriter.HoldAsync(api))
        {
            await client.SendAsync(Enumerable.Range(0, 100).Select(number => RawClient.Post(Event($"half-closed-{number}"))));
            await Eventually.IsAsync(() => Waiting(api) >= 100);
            client.Socket.Shutdown(SocketShutdown.Send);
        }

        Assert.Equal(Enumerable.Repeat(200, 100), (await client.ReadToEndAsync()).Select(answer => answer.Status));
    }

    [Fact]
    public async Task Of_a_client_that_hangs_up_nothing_is_left_but_what_it_said()
    {
        await using var api = await StartAsync();
        using var connections = new OpenConnections(api);
        using (var client = await RawClient.ConnectAsync(api.Address))
        using (var writer = await HeldWriter.HoldAsync(api))
        {
            await client.SendAsync(Enumerable.Range(0, 80).Select(number => RawClient.Post(Event($"hung-up-{number}"))));
            await Eventually.IsAsync(() => Waiting(api) >= 80);
            Assert.Equal(1, connections.Open);
            client.Reset();
        }

        await Eventually.IsAsync(() => connections.Open == 0); // which the connection's lanes have to end before
        Assert.Equal(80, Stored(api).Count(name => name.StartsWith("hung-up-", StringComparison.Ordinal)));
    }

    [Fact]
    public async Task Nothing_is_answered_after_a_request_to_close()
    {
        using var client = await RawClient.ConnectAsync(shared.Address);
        await client.SendAsync(Enumerable.Range(0, 50).Select(number => RawClient.Post(Event($"closing-{number}"), headers: number == 30 ? "Connection: close\r\n" : "")));

        var answers = await client.ReadToEndAsync();

        Assert.Equal(Enumerable.Repeat(200, 31), answers.Select(answer => answer.Status));
        Assert.Contains("Connection: close", answers[^1].Head, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("close", 11, "Connection: close")]
    [InlineData("abort", 10, "")]
    public async Task A_connection_ends_where_an_answer_ends_it(string how, int answered, string says)
    {
        await using var api = await StartAsync();
        using var client = await RawClient.ConnectAsync(api.Address);
        await client.SendAsync(Enumerable.Range(0, 30).Select(number => RawClient.Post("{}", number == 10 ? $"/webhook/test/{how}" : "/webhook/test/echo")));

        var answers = new List<RawAnswer>();
        try
        {
            while (await client.ReadAsync() is { } answer) answers.Add(answer);
        }
        catch (SocketException reset) when (reset.SocketErrorCode is SocketError.ConnectionReset)
        {
            // as an abort should
        }

        if (how == "close") Assert.Equal(answered, answers.Count);
        Assert.True(answers.Count <= answered);
        if (answers.Count == answered) Assert.Contains(says, answers[^1].Head, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_service_that_stops_answers_what_is_under_way()
    {
        await using var api = await StartAsync();
        using var client = await RawClient.ConnectAsync(api.Address);
        Task stopping;
        using (var writer = await HeldWriter.HoldAsync(api))
        {
            await client.SendAsync(Enumerable.Range(0, 100).Select(number => RawClient.Post(Event($"stopping-{number}"))));
            await Eventually.IsAsync(() => Waiting(api) >= 100);
            var address = api.Address;
            stopping = api.StopAsync();
            await Eventually.IsAsync(() => !IsListening(address));
        }

        Assert.Equal(Enumerable.Repeat(200, 100), (await client.ReadToEndAsync()).Select(answer => answer.Status));
        await stopping;
    }

    [Fact]
    public async Task Too_much_at_once_is_told_to_each_for_itself()
    {
        await using var api = await StartAsync(new() { ["Ingest:Queue:Capacity"] = "5", ["Ingest:Queue:Hold"] = "00:00:00.050" });
        using var client = await RawClient.ConnectAsync(api.Address);
        using (var writer = await HeldWriter.HoldAsync(api))
        {
            await client.SendAsync(Enumerable.Range(0, 20).Select(number => RawClient.Post(Event($"too-much-{number}"))));
            await Eventually.IsAsync(() => Metric(api, "webhooks_overloads_total") >= 15);
        }

        var answers = await client.ReadAsync(20);

        // The service's own commands may have places in the queue, or be among those refused.
        Assert.InRange(answers.Count(answer => answer.Status == 200), 1, 5 + OfTheService);
        Assert.All(answers.Where(answer => answer.Status != 200), answer =>
        {
            Assert.Equal(429, answer.Status);
            Assert.Contains("Retry-After: 2", answer.Head, StringComparison.Ordinal);
        });
    }

    [Fact]
    public async Task A_client_that_only_sends_is_held_back()
    {
        const int most = 96 * 1024 * 1024; // what the two sockets hold by themselves is far less
        await using var api = await StartAsync();
        using var client = await RawClient.ConnectAsync(api.Address);
        var requests = Encoding.UTF8.GetBytes(string.Concat(Enumerable.Repeat(RawClient.Post(Event("sender", padding: 30_000)), 10)));
        var sent = 0L;
        using (var writer = await HeldWriter.HoldAsync(api))
        {
            client.Socket.Blocking = false;
            while (sent < most && client.Socket.Poll(TimeSpan.FromSeconds(1), SelectMode.SelectWrite))
                sent += client.Socket.Send(requests.AsSpan((int)(sent % requests.Length)), SocketFlags.None, out _);

            Assert.InRange(sent, 1, most - 1);
            await Eventually.IsAsync(() => Waiting(api) > 0);
            Assert.InRange(Waiting(api), 1, (1024 * 1024 / 30_000) + OfTheService);
            client.Socket.Blocking = true;
        }

        var whole = (int)(sent / (requests.Length / 10));
        Assert.All(await client.ReadAsync(whole), answer => Assert.Equal(200, answer.Status));
    }

    [Fact]
    public async Task Answers_of_every_form_keep_their_bounds()
    {
        await using var api = await StartAsync();
        using var client = await RawClient.ConnectAsync(api.Address);
        string[] paths = ["echo", "large", "none", "chunked", "echo", "unread", "large", "none", "none", "echo"];
        await client.SendAsync(paths.Select((path, number) => RawClient.Post($"body {number}", $"/webhook/test/{path}")));

        var answers = await client.ReadAsync(paths.Length);

        Assert.Equal(["body 0", Large, "", "in 2 parts", "body 4", "unread", Large, "", "", "body 9"], answers.Select(answer => answer.Body));
        Assert.Equal([200, 200, 204, 200, 200, 200, 200, 204, 204, 200], answers.Select(answer => answer.Status));
    }

    [Fact]
    public async Task Requests_know_their_connection()
    {
        await using var api = await StartAsync();
        using var client = await RawClient.ConnectAsync(api.Address);
        await client.SendAsync(Enumerable.Repeat(RawClient.Post("{}", "/webhook/test/who"), 50));

        var who = (await client.ReadAsync(50)).Select(answer => answer.Body.Split(' ')).ToList();

        Assert.Equal([client.Socket.LocalEndPoint!.ToString()!.Replace("[::ffff:127.0.0.1]", "127.0.0.1", StringComparison.Ordinal)], who.Select(one => one[0]).Distinct(StringComparer.Ordinal));
        Assert.Equal([api.Address.Port.ToString()], who.Select(one => one[1]).Distinct(StringComparer.Ordinal));
        Assert.Single(who.Select(one => one[2].Split('.')[0]).Distinct(StringComparer.Ordinal));
        Assert.Equal(50, who.Select(one => one[3]).Distinct(StringComparer.Ordinal).Count());
    }

    [Theory]
    [InlineData("POST /webhook HT", 408)]
    [InlineData("POST /webhook HTTP/1.1\r\nHost: x\r\nContent-", 408)]
    [InlineData("", null)]
    public async Task Kestrels_timeouts_hold_after_pipelined_requests(string begun, int? answered)
    {
        await using var api = await StartAsync(configure: builder => builder.WebHost.ConfigureKestrel(kestrel =>
            (kestrel.Limits.RequestHeadersTimeout, kestrel.Limits.KeepAliveTimeout) = (TimeSpan.FromSeconds(3), TimeSpan.FromSeconds(begun.Length > 0 ? 600 : 3))));
        using var client = await RawClient.ConnectAsync(api.Address);

        await client.SendAsync([.. Enumerable.Repeat(RawClient.Post("{}"), 20), begun]);
        var answers = await client.ReadToEndAsync();

        Assert.Equal([.. Enumerable.Repeat(200, 20), .. answered is { } status ? new[] { status } : []], answers.Select(answer => answer.Status));
    }

    [Theory]
    [InlineData("0")]
    [InlineData("1001")]
    public async Task A_number_out_of_range_keeps_the_service_from_starting(string pipelining)
    {
        var mistake = await Assert.ThrowsAsync<OptionsValidationException>(() => ApiHost.StartAsync(new() { ["Ingest:Pipelining"] = pipelining }));

        Assert.Contains("Pipelining", mistake.Message, StringComparison.Ordinal);
    }

    private static readonly string Large = string.Concat(Enumerable.Range(0, 60_000).Select(number => $"{number} "));

    private static Task<ApiHost> StartAsync(Dictionary<string, string?>? settings = null, Action<WebApplicationBuilder>? configure = null) => ApiHost.StartAsync(
        settings,
        builder =>
        {
            builder.Services.AddSingleton<IRequestHandler<HoldTheWriter, Outcome>, HoldTheWriterHandler>();
            configure?.Invoke(builder);
        },
        app =>
        {
            app.MapPost("/webhook/test/echo", async context =>
            {
                using var reader = new StreamReader(context.Request.Body);
                var text = await reader.ReadToEndAsync();
                context.Response.ContentLength = text.Length;
                await context.Response.WriteAsync(text);
            }).AllowAnonymous();
            app.MapPost("/webhook/test/unread", context =>
            {
                context.Response.ContentLength = 6;
                return context.Response.WriteAsync("unread");
            }).AllowAnonymous();
            app.MapPost("/webhook/test/large", context => context.Response.WriteAsync(Large)).AllowAnonymous();
            app.MapPost("/webhook/test/none", context =>
            {
                context.Response.StatusCode = 204;
                return Task.CompletedTask;
            }).AllowAnonymous();
            app.MapPost("/webhook/test/chunked", async context =>
            {
                await context.Response.WriteAsync("in 2 ");
                await context.Response.Body.FlushAsync();
                await Task.Yield();
                await context.Response.WriteAsync("parts");
            }).AllowAnonymous();
            app.MapPost("/webhook/test/who", context =>
            {
                var (at, text) = (context.Connection, "");
                text = $"{at.RemoteIpAddress}:{at.RemotePort} {at.LocalPort} {at.Id} {context.TraceIdentifier}";
                context.Response.ContentLength = text.Length;
                return context.Response.WriteAsync(text);
            }).AllowAnonymous();
            app.MapPost("/webhook/test/close", context =>
            {
                context.Response.Headers.Connection = "close";
                context.Response.ContentLength = 0;
                return Task.CompletedTask;
            }).AllowAnonymous();
            app.MapPost("/webhook/test/abort", context =>
            {
                context.Abort();
                return Task.CompletedTask;
            }).AllowAnonymous();
        });

    /// <summary>Commands that the service's workers may send to the writer while a test holds it, which they do seldom.</summary>
    private const int OfTheService = 8;

    /// <summary>Asked without a connection, which some of these tests count.</summary>
    private static int Metric(ApiHost api, string name) =>
        api.Services.GetRequiredService<PrometheusExporter>().Scrape().Split('\n').FirstOrDefault(line => line.StartsWith($"{name} ", StringComparison.Ordinal)) is { } line ? int.Parse(line.Split(' ')[1]) : 0;

    private static int Waiting(ApiHost api) => api.Services.GetRequiredService<IIngestGauge>().QueueDepth;

    /// <summary>The clients, in the order in which the writer met them.</summary>
    private static List<string> Stored(ApiHost api)
    {
        using var connection = new SqliteConnection($"Data Source={Path.Combine(api.DataDirectory, "webhooks.db")};Mode=ReadOnly;Pooling=False");
        connection.Open();
        using var command = connection.CreateCommand();
        command.CommandText = "SELECT client_id FROM clients ORDER BY client_no";
        using var reader = command.ExecuteReader();
        var clients = new List<string>();
        while (reader.Read()) clients.Add(reader.GetString(0));
        return clients;
    }

    private static string Event(string client, int padding = 0) =>
        $$"""{"event":"client.connected","clientid":"{{client}}","node":"n1","connected_at":1767225600000,"peername":"10.0.0.1:1000","timestamp":1767225600001}{{new string(' ', padding)}}""";

    private static bool IsListening(Uri address)
    {
        try
        {
            using var socket = new Socket(SocketType.Stream, ProtocolType.Tcp);
            socket.Connect(address.Host, address.Port);
            return true;
        }
        catch (SocketException)
        {
            return false;
        }
    }

    /// <summary>What is to be found in a text if it is there, else the text, for the failing test to show.</summary>
    private static string SaysOr(string says, string text) => text.Contains(says, StringComparison.Ordinal) ? says : text;

    private sealed record Wanted(string Request, int Status, string Says);

    /// <summary>The writer held, so that what is sent waits in its queue, until this is disposed.</summary>
    private sealed class HeldWriter : IDisposable
    {
        /// <summary>Commands that each start of the service gives itself: of deadlines, downlinks and notices. They shall not wait among those of a test.</summary>
        private const int OfTheStart = 3;

        private readonly ManualResetEventSlim gate = new();

        public static async Task<HeldWriter> HoldAsync(ApiHost api)
        {
            await Eventually.IsAsync(() => Metric(api, "store_commit_size_sum") >= OfTheStart);
            var (held, running) = (new HeldWriter(), new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously));
            _ = api.Services.GetRequiredService<IMediator>().Send(new HoldTheWriter(held.gate, running));
            await running.Task.WaitAsync(Eventually.Patience);
            return held;
        }

        public void Dispose() => gate.Set();
    }

    internal sealed record HoldTheWriter(ManualResetEventSlim Gate, TaskCompletionSource Running) : ICommand;

    internal sealed class HoldTheWriterHandler : ICommandHandler<HoldTheWriter>
    {
        public Task<Outcome> Handle(HoldTheWriter command, CancellationToken cancellationToken)
        {
            command.Running.TrySetResult();
            command.Gate.Wait(Eventually.Patience, cancellationToken);
            return Task.FromResult(Outcome.Applied);
        }
    }

    /// <summary>Kestrel's count of the connections of one host.</summary>
    private sealed class OpenConnections : IDisposable
    {
        private readonly MeterListener listener = new();
        private long open;

        public OpenConnections(ApiHost api)
        {
            var port = api.Address.Port;
            listener.InstrumentPublished = static (instrument, listener) =>
            {
                if (instrument.Name == "kestrel.active_connections") listener.EnableMeasurementEvents(instrument);
            };
            listener.SetMeasurementEventCallback<long>((_, change, tags, _) =>
            {
                foreach (var tag in tags)
                    if (tag.Key == "server.port" && Equals(tag.Value, port))
                        Interlocked.Add(ref open, change);
            });
            listener.Start();
        }

        public long Open => Interlocked.Read(ref open);

        public void Dispose() => listener.Dispose();
    }
}
