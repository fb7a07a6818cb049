using System.Text;
using Dapper;
using WebhookService.Infrastructure.Messages;
using WebhookService.Infrastructure.Persistence;
using WebhookService.Tests;

namespace WebhookService.Infrastructure.Tests.Messages;

/// <summary>Random messages put straight into the tables, as if another process had: few clients, topics of all shapes, many times told twice.</summary>
internal sealed record ManyMessages(IReadOnlyList<ManyMessages.One> All, IReadOnlyList<string> Topics, IReadOnlyList<string> Clients)
{
    public const long Start = 1_760_000_000_000;
    public const int Span = 1_000;

    public sealed record One(long No, string Client, string Topic, int Qos, int Status, long At);

    /// <param name="parts">The service reads so many parts of them one after the other.</param>
    public static async Task<ManyMessages> InAsync(AStore store, int count, int seed, int parts = 1)
    {
        await ReadAsync(store);
        var random = new Random(seed);
        string[] levels = ["site", "7", "alarm", "", "a b", "ü", "site-2", "$x"];
        var topics = new HashSet<string> { "site", "site/7", "$SYS/brokers", "old/1", "old/2", "/site" };
        while (topics.Count < 120) topics.Add(string.Join('/', Enumerable.Range(0, random.Next(1, 5)).Select(_ => levels[random.Next(levels.Length)])) is { Length: > 0 } topic ? topic : "/");
        var clients = Enumerable.Range(0, 12).Select(i => $"device {i}").ToList();
        var (names, byName) = (topics.ToList(), topics.Select((name, i) => (name, No: i + 1L)).ToDictionary(pair => pair.name, pair => pair.No));

        var all = new List<One>();
        for (var no = 1L; no <= count; no++)
        {
            // Client 0 publishes to every topic, the others to a few; "old" topics were used at the beginning only.
            var client = random.Next(clients.Count);
            var topic = client == 0 ? names[random.Next(names.Count)] : names[(client * 10) + random.Next(6)];
            var at = topic.StartsWith("old/", StringComparison.Ordinal) ? Start + random.Next(20) : Start + random.Next(Span);
            all.Add(new One(no, clients[client], topic, random.Next(3), random.Next(20) == 0 ? 1 : random.Next(2) * 2, at));
        }

        using var connection = store.Database.OpenForWriting();
        connection.Execute("INSERT INTO clients (client_no, client_id) VALUES (@No, @Id)", clients.Select((id, i) => new { No = i + 1, Id = id }));
        connection.Execute("INSERT INTO topics (topic_no, topic, reversed) VALUES (@No, @Name, @Reversed)", byName.Select(pair => new { No = pair.Value, Name = pair.Key, Reversed = TopicSearch.Reversed(pair.Key) }));
        connection.Execute("PRAGMA synchronous=OFF");
        foreach (var part in all.Chunk((count + parts - 1) / parts))
        {
            using (var transaction = connection.BeginTransaction())
            {
                connection.Execute(Insert, part.Select(one => new
                {
                    one.No,
                    Id = new byte[8].Concat(BitConverter.GetBytes(one.No).Reverse()).ToArray(),
                    ClientNo = clients.IndexOf(one.Client) + 1,
                    TopicNo = byName[one.Topic],
                    one.Qos,
                    one.At,
                    one.Status,
                    Payload = Encoding.UTF8.GetBytes($"{one.No}"),
                }), transaction);
                transaction.Commit();
            }
            await ReadAsync(store);
            await Eventually.IsAsync(() => !store.Get<StreamMessages>().IsWaiting && !store.Get<MessageIndexes>().IsWaiting);
        }
        return new(all, names, clients);
    }

    private const string Insert = """
        INSERT INTO messages (message_no, id, client_no, topic_no, qos, retain, published_at, received_at, publish_seen, from_device, status, kind, payload)
        VALUES (@No, @Id, @ClientNo, @TopicNo, @Qos, 0, @At, @At, 1, 1, @Status, 0, @Payload);
        INSERT OR IGNORE INTO streams (client_no, topic_no, from_device, first_no) VALUES (@ClientNo, @TopicNo, 1, @No);
        """;

    /// <summary>A transaction of the writer, which sees what others wrote.</summary>
    private static Task<bool> ReadAsync(AStore store) => store.Get<Writer>().RunAsync(() => Task.FromResult(true));
}
