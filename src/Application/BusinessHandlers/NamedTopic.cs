using WebhookService.Domain;
using WebhookService.Domain.Messages;

namespace WebhookService.Application.BusinessHandlers;

/// <summary>A topic filter whose single-level wildcards may have names: `site/{site}/+/temperature`.</summary>
internal sealed class NamedTopic
{
    private static readonly IReadOnlyDictionary<string, string> Nothing = new Dictionary<string, string>();

    private readonly TopicFilter filter;
    private readonly (int Level, string Name)[] names;

    /// <exception cref="DomainException">It is no topic filter, or a name is empty or stands twice.</exception>
    public NamedTopic(string text)
    {
        var levels = text.Split('/');
        var found = new List<(int, string)>();
        for (var i = 0; i < levels.Length; i++)
        {
            if (levels[i] is not ['{', .., '}']) continue;
            found.Add((i, levels[i][1..^1]));
            levels[i] = "+";
        }
        names = [.. found];
        if (names.Any(one => one.Name.Length == 0) || names.DistinctBy(one => one.Name).Count() < names.Length)
            throw new DomainException($"In the topic '{text}' each {{name}} needs a name of its own.", "topic");
        filter = TopicFilter.Parse(string.Join('/', levels));
        Text = text;
    }

    /// <summary>As it was written.</summary>
    public string Text { get; }

    public bool Matches(string topic) => filter.Matches(topic);

    /// <summary>The named levels of a topic that matches.</summary>
    public IReadOnlyDictionary<string, string> NamesIn(string topic)
    {
        if (names.Length == 0) return Nothing;
        var levels = topic.Split('/');
        return names.ToDictionary(one => one.Name, one => levels[one.Level]);
    }
}
