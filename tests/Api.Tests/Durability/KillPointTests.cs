using System.Net;
using System.Net.Http.Json;
using System.Text;
using System.Text.Json.Nodes;
using WebhookService.Api.Tests.Handlers;
using WebhookService.Tests;

namespace WebhookService.Api.Tests.Durability;

/// <summary>
/// The service in a process that kills itself at a chosen point between a webhook and the handler's place on disk (tests/Victim). Lives
/// follow one another on one database; brokers send again what was not answered.
/// </summary>
public sealed class KillPointTests : IDisposable
{
    private const int Clients = 4;
    private const int Killed = 128 + 9;
    private const string Handler = "api/v1/handlers/witness";

    private readonly DirectoryInfo folder = Directory.CreateTempSubdirectory("victim-");
    private readonly int[] sent = new int[Clients];

    [Fact]
    public async Task Wherever_the_process_is_killed_every_event_is_handled_at_least_once_in_order_and_under_one_key()
    {
        await DieAsync("before-commit", 3);
        await DieAsync("after-commit", 3);
        await DieAsync("before-handling", 5);
        await DieAsync("during-handling", 5);
        await DieAsync("after-handling", 2);
        await DieAsync("before-save", 2);
        await DieAsync("out-of-order", 1);
        await DieAsync("before-dead-letter", 1);
        await DieAsync("after-dead-letter", 1);
        var (replayed, before) = await DieAsync("during-replay", 20, async service =>
        {
            using var manage = service.ClientWith(ApiHost.ManageToken);
            await AHandlerHost.UntilAsync(async () => (long)(await GetAsync(manage, Handler))["position"]! >= 50); // on a busy machine earlier lives were short
            var position = (long)(await GetAsync(manage, Handler))["position"]!;
            var before = (await File.ReadAllLinesAsync(Path.Combine(folder.FullName, "witness.txt"))).Length;
            _ = manage.PostAsJsonAsync($"{Handler}/replay", new { from = "1" }).ContinueWith(answer => answer.Exception, TaskScheduler.Default); // it dies meanwhile
            return (position, before);
        });

        using var last = await StartAsync();
        await Task.WhenAll(Enumerable.Range(0, Clients).Select(client => SendAsync(last, client, sent[client] + 10)));
        using var reader = last.ClientWith(ApiHost.ManageToken);
        await AHandlerHost.UntilAsync(async () => await GetAsync(reader, Handler) is var handler && (long)handler["lag"]! == 0 && (int)handler["parked"]! == 0);
        using var paused = await reader.PostAsync($"{Handler}/pause", null); // answered once all is written down: the last dead letters too
        Assert.Equal(HttpStatusCode.OK, paused.StatusCode);

        var journal = await JournalAsync(reader);
        var dead = await DeadAsync(reader);
        var handled = (await File.ReadAllLinesAsync(Path.Combine(folder.FullName, "witness.txt")))
            .Select(line => line.Split(' ')).Select(parts => (Key: long.Parse(parts[0]), Topic: parts[1], IsReplay: bool.Parse(parts[2]), Process: parts[3])).ToList();

        // Every event once in the journal, though it was sent again; and each sent one is there.
        Assert.Equal(Enumerable.Range(0, Clients).SelectMany(client => Enumerable.Range(1, sent[client]).Select(n => Topic(client, n))).Order(), journal.Values.Order());
        // Every event with the handler or a dead letter, under the journal's number and no other.
        Assert.Equal(journal.Keys.Order(), handled.Select(one => one.Key).Concat(dead).Distinct().Order());
        Assert.All(handled, one => Assert.Equal(journal[one.Key], one.Topic));
        Assert.All(journal, one => Assert.Equal(Number(one.Value) % 7 == 0, dead.Contains(one.Key)));
        // Each client's in order: what comes for the first time whatever comes again …
        foreach (var client in handled.GroupBy(one => Client(one.Topic)))
            Assert.Equal(client.Select(one => one.Key).Distinct().Order(), client.Select(one => one.Key).Distinct());
        // … and all of a life, each once; the one that got the order for the replay began anew with it.
        var ordered = handled.First(one => one.IsReplay).Process;
        foreach (var life in handled.GroupBy(one => (one.Process, Client(one.Topic))))
        {
            var keys = life.Select(one => one.Key).ToList();
            var turn = life.Key.Process == ordered ? Math.Max(0, life.ToList().FindIndex(one => one.IsReplay)) : 0;
            Assert.All([keys[..turn], keys[turn..]], run => Assert.Equal(run.Distinct().Order(), run));
        }
        // The replay went on after its death, to its end; what was parked then came again too, by itself.
        Assert.InRange(replayed, 50, long.MaxValue);
        Assert.Empty(journal.Keys.Where(key => key <= replayed).Except(handled.Skip(before).Select(one => one.Key)).Except(dead));
        Assert.Contains(handled, one => one.IsReplay);
        Assert.NotEqual(handled.Count, handled.DistinctBy(one => (one.Key, one.IsReplay)).Count()); // some came twice, or nothing of this was put to the test
    }

    public void Dispose() => folder.Delete(recursive: true);

    private static string Topic(int client, int n) => $"t/{client}/{n}";

    private static string Client(string topic) => topic.Split('/')[1];

    private static int Number(string topic) => int.Parse(topic.Split('/')[2]);

    private static async Task<JsonObject> GetAsync(HttpClient client, string path) => await (await client.GetAsync(path)).JsonAsync();

    private Task<ServiceProcess> StartAsync(params string[] arguments) =>
        ServiceProcess.StartAsync(folder, Built.Of("tests/Victim", "WebhookService.Victim.dll"), ["--Handlers:witness:FirstDelay=00:00:00.010", .. arguments]);

    private async Task DieAsync(string point, int times)
    {
        try
        {
            await DieAsync(point, times, _ => Task.FromResult(0));
        }
        catch (ServiceProcess.EndedEarlyException early) when (early.ExitCode is Killed)
        {
            // what the last life left behind brought it to the point at once
        }
    }

    /// <summary>A life that ends at the point; webhooks come until then.</summary>
    private async Task<T> DieAsync<T>(string point, int times, Func<ServiceProcess, Task<T>> meanwhile)
    {
        using var service = await StartAsync($"--Death:Point={point}", $"--Death:Times={times}");
        var senders = Enumerable.Range(0, Clients).Select(client => SendAsync(service, client, sent[client] + 200)).ToList();
        var told = await meanwhile(service);
        await Task.WhenAll(senders);
        var exit = service.ExitAsync();
        Assert.True(await Task.WhenAny(exit, Task.Delay(Eventually.Patience)) == exit, $"It did not come to '{point}'.");
        Assert.Equal((point, Killed), (point, await exit));
        return told;
    }

    /// <summary>Sends a client's messages one after another, each until it is answered 200; ends when the process does.</summary>
    private async Task SendAsync(ServiceProcess service, int client, int until)
    {
        using var http = service.ClientWith(ApiHost.IngestToken);
        while (sent[client] < until)
        {
            var n = sent[client] + 1;
            using var body = new StringContent(
                $$"""
                {"event":"message.publish","id":"{{client:X16}}{{n:X16}}","clientid":"client-{{client}}","payload":"{{n}}","topic":"{{Topic(client, n)}}","qos":1,
                 "publish_received_at":{{1767225600000 + n}},"timestamp":{{1767225600000 + n}},"node":"n"}
                """, Encoding.UTF8, "application/json");
            try
            {
                using var answer = await http.PostAsync("webhook/emqx", body);
                if (answer.StatusCode is HttpStatusCode.OK) sent[client] = n;
            }
            catch (HttpRequestException)
            {
                return; // killed; the next life gets it
            }
        }
    }

    private static async Task<Dictionary<long, string>> JournalAsync(HttpClient client)
    {
        var lines = await ReadAsync(client, "api/v1/events?types=message.published");
        return lines.ToDictionary(line => (long)line["seq"]!, line => (string)line["data"]!["message"]!["topic"]!);
    }

    private static async Task<HashSet<long>> DeadAsync(HttpClient client) =>
        [.. (await ReadAsync(client, $"{Handler}/dead-letters")).Select(line => (long)line["event"]!["seq"]!)];

    private static async Task<List<JsonNode>> ReadAsync(HttpClient client, string path)
    {
        using var request = new HttpRequestMessage(HttpMethod.Get, path);
        request.Headers.Accept.ParseAdd("application/x-ndjson");
        using var answer = await client.SendAsync(request);
        return [.. (await answer.Content.ReadAsStringAsync()).Split('\n', StringSplitOptions.RemoveEmptyEntries).Select(line => JsonNode.Parse(line)!)];
    }
}
