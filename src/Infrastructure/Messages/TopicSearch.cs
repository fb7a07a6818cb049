using Dapper;
using Microsoft.Data.Sqlite;
using WebhookService.Domain.Messages;

namespace WebhookService.Infrastructure.Messages;

/// <summary>
/// Finds the topics that a filter matches. What SQL can tell, the literal levels at the filter's beginning or end (an index range) and the
/// longest run of them anywhere, narrows the topics down; the filter itself decides.
/// </summary>
internal sealed class TopicSearch
{
    private readonly TopicFilter filter;

    public TopicSearch(TopicFilter filter)
    {
        this.filter = filter;
        var levels = filter.Text.Split('/');
        var first = Array.FindIndex(levels, level => level is "+" or "#");
        if (first < 0) throw new ArgumentException($"'{filter}' names one topic: there is nothing to search.", nameof(filter));

        // `site/1/+` begins with `site/1/`, so that `site/10` stays out. `site/#` takes `site` along, so its beginning has no slash.
        Beginning = string.Join('/', levels[first] is "#" ? levels[..first] : [.. levels[..first], ""]);
        Ending = string.Join('/', [.. levels.Reverse().TakeWhile(level => level is not ("+" or "#")), ""]);
        Literal = filter.Text.Split(["+", "#"], StringSplitOptions.None).Select(run => run.Trim('/')).MaxBy(run => run.Length)!;
    }

    public string Beginning { get; }
    public string BeginningEnd => EndOf(Beginning);

    /// <summary>The last levels, reversed as in the column.</summary>
    public string Ending { get; }
    public string EndingEnd => EndOf(Ending);
    public string Literal { get; }

    /// <summary>A condition on a row t of `topics`: true for all that the filter matches, and some more. Its parameters are this object's properties.</summary>
    public string Condition => Beginning.Length > 0 ? ByBeginning : Ending.Length > 0 ? ByEnding : Anywhere;

    private const string ByBeginning = "t.topic >= @Beginning AND t.topic < @BeginningEnd AND instr(t.topic, @Literal) > 0";
    private const string ByEnding = "t.reversed >= @Ending AND t.reversed < @EndingEnd";
    private const string Anywhere = "instr(t.topic, @Literal) > 0";

    public bool Matches(string topic) => filter.Matches(topic);

    /// <summary>The levels of a topic in reverse order: what the column `topics.reversed` holds.</summary>
    public static string Reversed(string topic) => string.Join('/', topic.Split('/').Reverse());

    /// <summary>
    /// The numbers of all topics that the filter matches; null when they are more than <paramref name="most"/>, or when more than
    /// <paramref name="examined"/> topics begin and end so.
    /// </summary>
    public IReadOnlyList<long>? Find(SqliteConnection connection, int most, int examined)
    {
        long Count(string range, long most) => connection.ExecuteScalar<long>(
            $"SELECT count(*) FROM (SELECT 1 FROM topics t WHERE {range} LIMIT @limit)", new { Beginning, BeginningEnd, Ending, EndingEnd, limit = most + 1 });

        var fromEnding = Ending.Length > 0 ? Count(ByEnding, examined) : long.MaxValue;
        var fromBeginning = Count(Beginning.Length > 0 ? "t.topic >= @Beginning AND t.topic < @BeginningEnd" : "TRUE", Math.Min(examined, fromEnding));
        if (Math.Min(fromBeginning, fromEnding) > examined) return null;

        var backwards = fromEnding < fromBeginning;
        var (column, condition) = backwards ? ("reversed", ByEnding) : ("topic", Beginning.Length > 0 ? ByBeginning : Anywhere);
        var found = new List<long>();
        foreach (var (no, text) in connection.Query<(long, string)>($"SELECT t.topic_no, t.{column} FROM topics t WHERE {condition}", this, buffered: false))
        {
            if (!Matches(backwards ? Reversed(text) : text)) continue;
            if (found.Count == most) return null;
            found.Add(no);
        }
        return found;
    }

    // '0' follows '/': the end takes in all that goes on with a slash, and, without harm, what goes on with characters before it.
    private static string EndOf(string range) => (range.EndsWith('/') ? range[..^1] : range) + "0";
}
