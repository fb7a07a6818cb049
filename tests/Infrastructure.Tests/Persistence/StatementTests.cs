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
    public void Values_are_read_in_their_order_and_nothing_is_not_zero()
    {
        using var rows = new Statement(connection, "SELECT ?1, NULL, 0, 1, NULL, 0, 'ä', '', NULL, 'last' UNION ALL SELECT 7, 8, 1, 0, 1, 1, 'b', 'c', 'd', 'e'");

        var read = rows.Add(long.MinValue).Rows(static (ref StatementRow row) => (
            row.Number(), row.NumberOrNull(), row.Flag(), row.FlagOrNull(), row.FlagOrNull(), row.NumberOrNull(), (row.Text(), row.Text(), row.Text(), row.Text())));

        Assert.Equal(
            [(long.MinValue, null, false, true, null, 0L, ("ä", "", null, "last")), (7L, 8L, true, false, true, 1L, ("b", "c", "d", "e"))], read);
        Assert.Equal(long.MaxValue, rows.Add(long.MaxValue).Number());
    }

    [Theory]
    [InlineData("topic/ä", true)]
    [InlineData("", true)]
    [InlineData("😀", true)]
    [InlineData("long", false)]
    public void A_text_that_rows_repeat_is_made_once(string text, bool isShared)
    {
        if (!isShared) text = new string('x', 513);
        var texts = new SharedTexts();
        using var rows = new Statement(connection, "SELECT ?1, ?1, NULL UNION ALL SELECT ?1, ?1 || '2', NULL");

        var read = rows.Add(text).Rows((ref StatementRow row) => (row.Text(texts), row.Text(texts), row.Text(texts)));

        Assert.Equal([(text, text, null), (text, text + "2", null)], read);
        Assert.Equal(isShared, ReferenceEquals(read[0].Item1, read[0].Item2));
        Assert.Equal(isShared, ReferenceEquals(read[0].Item1, read[1].Item1));
    }

    [Fact]
    public void A_row_that_cannot_be_read_leaves_the_statement_as_it_was()
    {
        using var rows = new Statement(connection, "SELECT ?1 UNION ALL SELECT 2");

        Assert.Throws<FormatException>(() => rows.Add("text").Rows(static (ref StatementRow row) => int.Parse(row.Text()!)));

        Assert.Equal(["1", "2"], rows.Add("1").Rows(static (ref StatementRow row) => row.Text()!));
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
