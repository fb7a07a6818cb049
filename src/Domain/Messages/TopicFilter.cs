namespace WebhookService.Domain.Messages;

/// <summary>
/// An MQTT topic filter (MQTT 5.0, 4.7): `+` stands for one level, `#` at the end for any number of levels and for its parent. Wildcards at
/// the beginning do not match topics that start with `$`. What only routes a subscription, `$share/group/` and EMQX's `$queue/`, is left off.
/// </summary>
public sealed class TopicFilter
{
    private TopicFilter(string text) => Text = text;

    /// <summary>The filter as it is matched: without a prefix for shared subscriptions.</summary>
    public string Text { get; }

    /// <summary>True when it holds no wildcard and so names one topic.</summary>
    public bool IsExact => Text.AsSpan().IndexOfAny('+', '#') < 0;

    /// <param name="filter">The filter as a client would subscribe with it.</param>
    /// <exception cref="DomainException">No client could subscribe with it.</exception>
    public static TopicFilter Parse(string filter)
    {
        var text = WithoutGroup(MqttText.Checked(filter, "topic"));
        for (var at = text.AsSpan().IndexOfAny('+', '#'); at >= 0;)
        {
            var opens = at == 0 || text[at - 1] is '/';
            var closes = at == text.Length - 1 || text[at + 1] is '/';
            if (!opens || !closes)
                throw new DomainException($"In the topic filter '{filter}' a '{text[at]}' shares its level with other characters. A wildcard stands alone between slashes, as in 'site/+/alarm'.", "topic");
            if (text[at] is '#' && at < text.Length - 1)
                throw new DomainException($"In the topic filter '{filter}' something follows '#'. It stands for all further levels, so it comes last, as in 'site/#'.", "topic");
            var next = text.AsSpan(at + 1).IndexOfAny('+', '#');
            at = next < 0 ? -1 : at + 1 + next;
        }
        return new TopicFilter(text);
    }

    /// <summary>Whether a message published to <paramref name="topic"/> would reach a subscriber to this filter.</summary>
    public bool Matches(ReadOnlySpan<char> topic)
    {
        ReadOnlySpan<char> filter = Text;
        if (filter[0] is '+' or '#' && topic is ['$', ..]) return false;

        while (true)
        {
            var filterEnd = filter.IndexOf('/');
            var expected = filterEnd < 0 ? filter : filter[..filterEnd];
            if (expected is "#") return true;

            var topicEnd = topic.IndexOf('/');
            var level = topicEnd < 0 ? topic : topic[..topicEnd];
            if (expected is not "+" && !expected.SequenceEqual(level)) return false;

            if (filterEnd < 0) return topicEnd < 0;
            filter = filter[(filterEnd + 1)..];
            if (topicEnd < 0) return filter is "#"; // `site/#` takes `site` along
            topic = topic[(topicEnd + 1)..];
        }
    }

    public override string ToString() => Text;

    private static string WithoutGroup(string filter)
    {
        const string Queue = "$queue/", Share = "$share/";
        string routed;
        if (filter.StartsWith(Queue, StringComparison.Ordinal))
        {
            routed = filter[Queue.Length..];
        }
        else if (filter.StartsWith(Share, StringComparison.Ordinal))
        {
            var group = filter.IndexOf('/', Share.Length) - Share.Length;
            if (group <= 0 || filter.AsSpan(Share.Length, group).IndexOfAny('+', '#') >= 0)
                throw new DomainException($"The topic filter '{filter}' names no group. A shared subscription is '$share/group/filter'.", "topic");
            routed = filter[(Share.Length + group + 1)..];
        }
        else
        {
            return filter;
        }
        return routed.Length > 0 ? routed : throw new DomainException($"The topic filter '{filter}' ends where the filter itself should begin.", "topic");
    }
}
