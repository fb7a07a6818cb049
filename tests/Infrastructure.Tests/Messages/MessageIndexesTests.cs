using Dapper;
using WebhookService.Application.Messages;
using WebhookService.Application.Stats;
using WebhookService.Domain;
using WebhookService.Domain.Messages;
using WebhookService.Infrastructure.Messages;
using WebhookService.Infrastructure.Persistence;
using WebhookService.Infrastructure.Tests.Persistence;
using WebhookService.Tests;

namespace WebhookService.Infrastructure.Tests.Messages;

public sealed class MessageIndexesTests
{
    private static readonly DateTimeOffset Now = DateTimeOffset.FromUnixTimeMilliseconds(1_760_000_000_000);

    [Theory]
    [InlineData(100_000)]
    [InlineData(64)]
    public async Task A_message_is_stored_once_however_many_came_after_it(int gathered)
    {
        await using var store = await AStore.OpenAsync(("Storage:EntriesOfRun", $"{gathered}"));
        await PublishAsync(store, 1);
        await Task.WhenAll(Enumerable.Range(2, 3_000).Select(id => PublishAsync(store, id))); // the repository itself keeps a thousand

        Assert.Equal(Outcome.Repeated, await PublishAsync(store, 1));
        Assert.Equal([3_001L], store.Query<long>("SELECT count(*) FROM messages"));
    }

    [Fact]
    public async Task Messages_are_found_whether_the_tables_have_them_or_not()
    {
        await using var store = await AStore.OpenAsync(new AClock(Now));
        for (var id = 1; id < 3_000; id += 300)
        {
            await Task.WhenAll(Enumerable.Range(id, 300).Select(one => PublishAsync(store, one)));
            var reached = await IndexedAsync(store);
            Assert.InRange(reached, id - 1_024, id + 299);

            Assert.Equal(Enumerable.Range(1, (int)reached).Select(no => (long)no), store.Query<long>("SELECT message_no FROM messages_by_id ORDER BY 1"));
            Assert.Equal(Enumerable.Range(1, (int)reached).Select(no => (long)no), store.Query<long>("SELECT message_no FROM messages_by_time ORDER BY 1"));
            foreach (var one in new[] { 1, id, id + 299 })
            {
                Assert.Equal(Outcome.Repeated, await PublishAsync(store, one));
                Assert.Equal(IdOf(one).ToString(), (await store.SendAsync(new GetMessage(IdOf(one))))?.Id);
            }
            Assert.Null(await store.SendAsync(new GetMessage(IdOf(id + 300))));
            var newest = await store.SendAsync(new ListMessages(new(300, null)));
            Assert.Equal(Enumerable.Range(id, 300).Reverse().Select(one => IdOf(one).ToString()), newest.Items.Select(item => item.Id));
            Assert.Equal(Math.Round((id + 299) / 60.0, 2), (await store.SendAsync(new GetStats())).Messages.PerSecond);
        }
    }

    [Fact]
    public async Task Messages_are_known_after_a_restart_whether_the_tables_had_them_or_not()
    {
        await using var store = await AStore.OpenAsync();
        await Task.WhenAll(Enumerable.Range(1, 2_500).Select(id => PublishAsync(store, id)));
        var reached = await IndexedAsync(store);
        Assert.InRange(reached, 1_024, 2_500);
        await PublishAsync(store, 2_501);

        await using var next = await store.RestartAsync();

        Assert.All(await Task.WhenAll(Enumerable.Range(1, 2_501).Select(id => PublishAsync(next, id))), outcome => Assert.Equal(Outcome.Repeated, outcome));
        Assert.NotEqual(Outcome.Repeated, await PublishAsync(next, 2_502));
    }

    [Fact]
    public async Task A_message_whose_transaction_was_rolled_back_is_new_though_another_has_its_number()
    {
        await using var store = await AStore.OpenAsync();
        await Assert.ThrowsAsync<InvalidOperationException>(() => store.Get<Writer>().RunAsync<bool>(async () =>
        {
            await store.Get<IMessageRepository>().SaveAsync(Message.Of(ContentOf(7), Now), CancellationToken.None);
            store.Get<UnitOfWork>().Flush();
            throw new InvalidOperationException();
        }));
        await PublishAsync(store, 8);

        Assert.NotEqual(Outcome.Repeated, await PublishAsync(store, 7));
        Assert.Equal(Outcome.Repeated, await PublishAsync(store, 7));
        Assert.Equal([(1L, 8), (2L, 7)], store.Query<(long, byte[])>("SELECT message_no, id FROM messages ORDER BY 1").Select(row => (row.Item1, (int)row.Item2[15])));
    }

    [Fact]
    public async Task A_message_that_was_deleted_and_came_again_in_a_transaction_that_failed_is_still_known()
    {
        await using var store = await AStore.OpenAsync();
        await PublishAsync(store, 7);
        await Assert.ThrowsAsync<InvalidOperationException>(() => store.Get<Writer>().RunAsync<bool>(async () =>
        {
            store.Get<UnitOfWork>().Connection.Execute("DELETE FROM messages");
            store.Get<MessageRepository>().Drop(IdOf(7));
            await store.Get<IMessageRepository>().SaveAsync(Message.Of(ContentOf(7), Now), CancellationToken.None);
            store.Get<UnitOfWork>().Flush();
            throw new InvalidOperationException();
        }));

        Assert.Equal(Outcome.Repeated, await PublishAsync(store, 7));
        Assert.Equal([1L], store.Query<long>("SELECT message_no FROM messages"));
    }

    [Fact]
    public async Task The_tables_are_right_where_another_command_of_a_transaction_fails()
    {
        await using var store = await AStore.OpenAsync();
        await Task.WhenAll(Enumerable.Range(1, 900).Select(id => PublishAsync(store, id)));
        using var begin = new ManualResetEventSlim();
        var writer = store.Get<Writer>();
        var first = writer.RunAsync(() =>
        {
            begin.Wait();
            return Task.FromResult(true);
        });
        var step = writer.RunAsync(() =>
        {
            store.Get<MessageIndexes>().Write(new StepTime(TimeSpan.FromSeconds(10)));
            return Task.FromResult(true);
        });
        var failing = writer.RunAsync<bool>(() => throw new InvalidOperationException());
        var others = Task.WhenAll(Enumerable.Range(901, 300).Select(id => PublishAsync(store, id)));
        begin.Set();
        await Task.WhenAll(first, step, others);
        await Assert.ThrowsAsync<InvalidOperationException>(() => failing);

        var reached = await IndexedAsync(store);

        Assert.InRange(reached, 900, 1_200);
        await writer.RunAsync(() =>
        {
            store.Get<MessageIndexes>().Write(new StepTime(TimeSpan.Zero));
            return Task.FromResult(true);
        });
        Assert.True(await IndexedAsync(store) >= reached);
        reached = await IndexedAsync(store);
        Assert.Equal(Enumerable.Range(1, (int)reached).Select(no => (long)no), store.Query<long>("SELECT message_no FROM messages_by_id ORDER BY 1"));
        Assert.Equal(Enumerable.Range(1, (int)reached).Select(no => (long)no), store.Query<long>("SELECT message_no FROM messages_by_time ORDER BY 1"));
        Assert.All(await Task.WhenAll(Enumerable.Range(1, 1_200).Select(id => PublishAsync(store, id))), outcome => Assert.Equal(Outcome.Repeated, outcome));
    }

    [Theory]
    [InlineData(16_384, 512)]
    [InlineData(18_000, 2_048)]
    [InlineData(40_000, StepTime.MostRows)]
    public async Task A_step_goes_on_beyond_its_time_while_more_messages_wait_than_are_to_be_remembered(int messages, int indexed)
    {
        await using var store = await AStore.OpenAsync();

        var reached = await store.Get<Writer>().RunAsync(() =>
        {
            store.Get<UnitOfWork>().Connection.Execute($"""
                WITH RECURSIVE number(no) AS (SELECT 1 UNION ALL SELECT no + 1 FROM number WHERE no < {messages})
                INSERT INTO messages (message_no, id, client_no, topic_no, qos, retain, published_at, received_at, publish_seen, from_device, status, kind, payload)
                SELECT no, unhex(printf('%032x', no)), 1, 1, 0, 0, no, no, 1, 1, 0, 0, x'61' FROM number
                """);
            store.Get<MessageIndexes>().Add(IdOf(messages), messages);
            store.Get<MessageIndexes>().Write(new StepTime(TimeSpan.Zero));
            return Task.FromResult(store.Get<UnitOfWork>().Connection.ExecuteScalar<long>($"SELECT {MessageIndexes.Indexed}"));
        });

        Assert.Equal(indexed, reached);
    }

    [Theory]
    [InlineData(1)]
    [InlineData(1_500)]
    public async Task A_message_that_another_program_changed_is_found_as_it_is_now(int messages)
    {
        await using var store = await AStore.OpenAsync();
        await Task.WhenAll(Enumerable.Range(1, messages).Select(id => PublishAsync(store, id)));
        await IndexedAsync(store);
        using (var intruder = store.Database.OpenForWriting())
            intruder.Execute("UPDATE messages SET id = x'00000000000000000000000000009999', published_at = published_at + 60000 WHERE message_no = 1");

        Assert.Equal(Outcome.Repeated, await PublishAsync(store, 0x9999));
        Assert.Equal(IdOf(0x9999).ToString(), (await store.SendAsync(new GetMessage(IdOf(0x9999))))?.Id);
        Assert.Equal(IdOf(0x9999).ToString(), (await store.SendAsync(new ListMessages(new(1, null)))).Items.Single().Id);
    }

    [Fact]
    public async Task A_message_that_another_program_stored_is_known()
    {
        await using var store = await AStore.OpenAsync();
        await PublishAsync(store, 1);
        using (var intruder = store.Database.OpenForWriting())
            intruder.Execute(
                """
                CREATE TEMP TABLE copy AS SELECT * FROM messages;
                UPDATE copy SET message_no = 2, id = x'00000000000000000000000000000007';
                INSERT INTO messages SELECT * FROM copy;
                """);

        Assert.Equal(Outcome.Repeated, await PublishAsync(store, 7));
    }

    [Fact]
    public async Task What_is_deleted_is_in_no_table_and_nobody_waits_for_it()
    {
        await using var store = await AStore.OpenAsync();
        await Task.WhenAll(Enumerable.Range(1, 1_500).Select(id => PublishAsync(store, id)));
        await IndexedAsync(store);
        var indexes = store.Get<MessageIndexes>();
        await store.Get<Writer>().RunAsync(() =>
        {
            indexes.Add(IdOf(9_999), 9_999); // as if these had been written, and deleted before they were indexed
            store.Get<UnitOfWork>().Connection.Execute("DELETE FROM messages WHERE message_no > 1");
            return Task.FromResult(true);
        });

        await IndexedAsync(store);

        Assert.False(indexes.IsWaiting);
        Assert.Equal([1L], store.Query<long>("SELECT message_no FROM messages_by_id"));
        Assert.Equal([1L], store.Query<long>("SELECT message_no FROM messages_by_time"));
        Assert.NotEqual(Outcome.Repeated, await PublishAsync(store, 9_999));
    }

    [Fact]
    public async Task Messages_of_a_database_from_before_are_in_both_tables()
    {
        var folder = Directory.CreateTempSubdirectory("store-").FullName;
        using (var old = OldDatabase.Create(folder, version: 11, Now, "c"))
            old.Execute(
                """
                INSERT INTO topics VALUES (1, 't', 't');
                INSERT INTO streams (client_no, topic_no, from_device, first_no) VALUES (1, 1, 1, 1);
                INSERT INTO messages (message_no, id, client_no, topic_no, qos, retain, published_at, received_at, publish_seen, from_device, status, kind, payload) VALUES
                  (1, x'00000000000000000000000000000005', 1, 1, 0, 0, @at + 9, @at, 1, 1, 0, 0, x'61'),
                  (3, x'00000000000000000000000000000004', 1, 1, 0, 0, @at, @at, 1, 1, 0, 0, x'62');
                """, new { at = Now.ToMs() });

        await using var store = await AStore.OpenInAsync(folder, TimeProvider.System);

        Assert.Equal(3, await IndexedAsync(store));
        Assert.Equal([3L, 1], store.Query<long>("SELECT message_no FROM messages_by_id ORDER BY id"));
        Assert.Equal([3L, 1], store.Query<long>("SELECT message_no FROM messages_by_time ORDER BY published_at"));
        Assert.Equal(Outcome.Repeated, await PublishAsync(store, 4));
        Assert.Equal("a", (await store.SendAsync(new GetMessage(IdOf(5))))?.Payload.Data);
        Assert.NotEqual(Outcome.Repeated, await PublishAsync(store, 6));
        Assert.Equal([1L, 3, 4], store.Query<long>("SELECT message_no FROM messages ORDER BY 1"));
    }

    [Fact]
    public async Task Questions_seek_in_the_tables_and_look_at_those_messages_only_that_came_since()
    {
        await using var store = await AStore.OpenAsync();
        var byTime = MessageScan.ByTime("i.published_at, i.message_no", "CROSS JOIN messages m ON m.message_no = i.message_no", "i.published_at >= @from");

        Assert.Equal(
            [
                "MERGE (UNION ALL)",
                "LEFT", "SEARCH i USING PRIMARY KEY (published_at>? AND (published_at,message_no)<(?,?))", "SEARCH m USING INTEGER PRIMARY KEY (rowid=?)",
                "RIGHT", "SEARCH i USING INTEGER PRIMARY KEY (rowid>?)", "SCALAR SUBQUERY 2", "SEARCH counters USING PRIMARY KEY (name=?)",
                "SEARCH m USING INTEGER PRIMARY KEY (rowid=?)", "USE TEMP B-TREE FOR ORDER BY",
            ],
            PlanOf(store, byTime));
        Assert.Equal(
            [
                "COMPOUND QUERY",
                "LEFT-MOST SUBQUERY", "SEARCH messages_by_id USING PRIMARY KEY (id=?)",
                "UNION ALL", "SEARCH messages USING INTEGER PRIMARY KEY (rowid>?)", "SCALAR SUBQUERY 2", "SEARCH counters USING PRIMARY KEY (name=?)",
            ],
            PlanOf(store, MessageIndexes.NumberOf));
    }

    private static List<string> PlanOf(AStore store, string sql)
    {
        using var connection = store.Database.OpenForReading();
        return [.. connection.Query<(long, long, long, string Detail)>($"EXPLAIN QUERY PLAN {sql}", new { At = 1, No = 1, from = 1, id = 1 }).Select(row => row.Detail)];
    }

    /// <summary>Waits until no more than some messages are left for the tables.</summary>
    private static async Task<long> IndexedAsync(AStore store)
    {
        await Eventually.IsAsync(() => !store.Get<MessageIndexes>().IsWaiting);
        return store.Query<long>($"SELECT {MessageIndexes.Indexed}").Single();
    }

    private static MessageId IdOf(int id) => new((UInt128)id);

    private static MessageContent ContentOf(int id) =>
        new(IdOf(id), new ClientId("c"), true, null, "t", 0, false, Now, Payload.OfText("x"u8.ToArray()), null);

    private static Task<Outcome> PublishAsync(AStore store, int id) => store.SendAsync(new RecordMessagePublished(ContentOf(id), null, true, Now));
}
