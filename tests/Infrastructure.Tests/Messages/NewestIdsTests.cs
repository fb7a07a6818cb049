using Microsoft.Data.Sqlite;
using WebhookService.Application.Messages;
using WebhookService.Domain;
using WebhookService.Domain.Messages;
using WebhookService.Infrastructure.Messages;

namespace WebhookService.Infrastructure.Tests.Messages;

public sealed class NewestIdsTests
{
    private static readonly DateTimeOffset Now = DateTimeOffset.FromUnixTimeMilliseconds(1_760_000_000_000);

    [Theory]
    [InlineData(0)]
    [InlineData(40)]
    [InlineData(1000)]
    public void What_was_added_may_be_there_whatever_the_order(int disorder)
    {
        var (ids, random, stored) = (new NewestIds(16), new Random(1), new HashSet<UInt128>());
        ids.Begin(newest: 0);

        for (var i = 0; i < 2_000; i++)
        {
            var id = (UInt128)(1_000 + (10 * i) - random.Next(disorder));
            ids.Add(id);
            stored.Add(id);
            if (i % 50 == 0) Assert.All(stored, one => Assert.True(ids.MayHave(one)));
        }
    }

    [Fact]
    public void What_is_newer_than_what_was_forgotten_and_was_not_added_is_not_there()
    {
        var ids = new NewestIds(16);
        Assert.True(ids.MayHave(2_000)); // nothing was said of the database yet
        ids.Begin(newest: 500);
        for (var i = 0; i < 100; i++) ids.Add((UInt128)(1_000 + (10 * i)));

        Assert.False(ids.MayHave(2_000));
        Assert.False(ids.MayHave(1_985)); // between the newest
        Assert.True(ids.MayHave(1_001));  // among those that were forgotten
        Assert.True(ids.MayHave(1));
    }

    [Fact]
    public async Task A_message_is_stored_once_however_many_came_after_it()
    {
        await using var store = await AStore.OpenAsync();
        await PublishAsync(store, 1);
        await Task.WhenAll(Enumerable.Range(2, 3_000).Select(id => PublishAsync(store, id))); // the repository itself keeps a thousand

        Assert.Equal(Outcome.Repeated, await PublishAsync(store, 1));
        Assert.Equal([3_001L], store.Query<long>("SELECT count(*) FROM messages"));
    }

    [Fact]
    public async Task A_message_that_another_program_stored_is_known()
    {
        await using var store = await AStore.OpenAsync();
        await PublishAsync(store, 1);
        using (var intruder = new SqliteConnection($"Data Source={store.File};Pooling=False"))
        {
            intruder.Open();
            using var command = intruder.CreateCommand();
            command.CommandText = "UPDATE messages SET id = x'00000000000000000000000000000007'";
            command.ExecuteNonQuery();
        }

        Assert.Equal(Outcome.Repeated, await PublishAsync(store, 7));
    }

    private static Task<Outcome> PublishAsync(AStore store, int id) => store.SendAsync(new RecordMessagePublished(
        new MessageContent(new MessageId((UInt128)id), new ClientId("c"), true, null, "t", 0, false, Now, Payload.OfText("x"u8.ToArray()), null), null, true, Now));
}
