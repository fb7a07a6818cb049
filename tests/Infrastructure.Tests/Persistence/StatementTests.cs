using Microsoft.Data.Sqlite;
using WebhookService.Infrastructure.Persistence;

namespace WebhookService.Infrastructure.Tests.Persistence;

public sealed class StatementTests : IDisposable
{
    private readonly SqliteConnection connection = new("Data Source=:memory:");

    public StatementTests() => connection.Open();

    [Theory]
    [InlineData("", 1)]
    [InlineData("a", 1)]
    [InlineData("ä", 1_000)] // more bytes than characters, and more than there is room for on the stack
    [InlineData("😀", 128)] // as many as there is room for
    [InlineData("a", 100_000)]
    [InlineData("\0", 3)]
    public void A_text_arrives_as_it_is(string part, int times)
    {
        var text = string.Concat(Enumerable.Repeat(part, times));
        using var echo = new Statement(connection, "SELECT ?");

        Assert.Equal(text, echo.Add(text).Text());
        Assert.Equal("next", echo.Add("next").Text());
    }

    [Fact]
    public void Values_arrive_in_their_order_and_with_their_type()
    {
        using var create = new Statement(connection, "CREATE TABLE kept (a, b, c, d, e, f, g)");
        create.Run();
        using var insert = new Statement(connection, "INSERT INTO kept VALUES (?, ?, ?, ?, ?, ?, ?)");

        insert.Add(long.MinValue).Add((long?)null).Add(true).Add((bool?)false).Add((string?)null).Add([1, 0, 255]).Add(ReadOnlySpan<byte>.Empty).Run();

        using var kept = connection.CreateCommand();
        kept.CommandText = "SELECT a, typeof(b), c, d, typeof(e), hex(f), typeof(g) || length(g) FROM kept";
        using var row = kept.ExecuteReader();
        Assert.True(row.Read());
        Assert.Equal([long.MinValue, "null", 1L, 0L, "null", "0100FF", "blob0"], Enumerable.Range(0, 7).Select(row.GetValue));
    }

    [Fact]
    public void One_value_too_many_is_told_when_it_is_bound()
    {
        using var echo = new Statement(connection, "SELECT ?");

        Assert.Throws<SqliteException>(() => echo.Add(1L).Add(2L));
        Assert.Throws<SqliteException>(() => echo.AddNull());
        Assert.Throws<SqliteException>(() => echo.Add("text"));
    }

    public void Dispose() => connection.Dispose();
}
