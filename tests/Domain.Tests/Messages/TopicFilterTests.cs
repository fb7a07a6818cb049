using FsCheck;
using FsCheck.Fluent;
using WebhookService.Domain.Messages;

namespace WebhookService.Domain.Tests.Messages;

public class TopicFilterTests
{
    [Theory]
    [InlineData("site/7/alarm", "site/7/alarm", true)]
    [InlineData("site/7/alarm", "site/7/Alarm", false)]
    [InlineData("site/+/alarm", "site/7/alarm", true)]
    [InlineData("site/+/alarm", "site//alarm", true)]
    [InlineData("site/+/alarm", "site/7/8/alarm", false)]
    [InlineData("site/+", "site", false)]
    [InlineData("site/+", "site/", true)]
    [InlineData("+", "site", true)]
    [InlineData("+", "/site", false)]
    [InlineData("+/+", "/site", true)]
    [InlineData("/+", "/site", true)]
    [InlineData("site/#", "site", true)]
    [InlineData("site/#", "site/", true)]
    [InlineData("site/#", "site/7/alarm", true)]
    [InlineData("site/#", "sites", false)]
    [InlineData("+/#", "site", true)]
    [InlineData("+/alarm/#", "7/alarm", true)]
    [InlineData("+/alarm/#", "7/alarms", false)]
    [InlineData("#", "site/7", true)]
    [InlineData("#", "/", true)]
    [InlineData("#", "$SYS/brokers", false)]
    [InlineData("+/brokers", "$SYS/brokers", false)]
    [InlineData("$SYS/#", "$SYS/brokers", true)]
    [InlineData("$SYS/+", "$SYS/brokers", true)]
    [InlineData("site/#", "site/$7", true)]
    [InlineData("$share/workers/site/+", "site/7", true)]
    [InlineData("$queue/site/+", "site/7", true)]
    [InlineData("$share/workers/#", "$SYS/brokers", false)]
    [InlineData("$share/workers//site", "/site", true)]
    public void A_filter_matches_as_the_MQTT_specification_says(string filter, string topic, bool matches) =>
        Assert.Equal(matches, TopicFilter.Parse(filter).Matches(topic));

    [Theory]
    [InlineData("")]
    [InlineData("site+")]
    [InlineData("site/+7")]
    [InlineData("site/7#")]
    [InlineData("site/#/alarm")]
    [InlineData("#/")]
    [InlineData("++")]
    [InlineData("a\0b")]
    [InlineData("$share/")]
    [InlineData("$share/workers/")]
    [InlineData("$share//site")]
    [InlineData("$share/wor+kers/site")]
    [InlineData("$queue/")]
    public void A_filter_nobody_could_subscribe_with_is_refused(string filter)
    {
        var refusal = Assert.Throws<DomainException>(() => TopicFilter.Parse(filter));

        Assert.Equal("topic", refusal.Parameter);
    }

    [Fact]
    public void Any_filter_agrees_with_a_plain_recursive_reading_of_the_rules()
    {
        var filters = Levels("a", "bb", "", "+", "$x").SelectMany(levels => Gen.Elements(levels, levels + "/#"));
        var topics = Levels("a", "bb", "", "$x");

        Prop.ForAll(filters.Zip(topics).ToArbitrary(), pair =>
        {
            var (filter, topic) = pair;
            if (filter.Length == 0) return true;
            return TopicFilter.Parse(filter).Matches(topic) == Plainly(filter, topic);
        }).Check(Config.QuickThrowOnFailure.WithMaxTest(5_000));
    }

    [Fact]
    public void A_topic_matches_every_filter_made_from_it_by_putting_wildcards_in_place_of_levels()
    {
        var cases = Levels("a", "bb", "c c", "ü").Zip(Gen.Choose(0, 255)).Zip(Gen.Choose(0, 4));

        Prop.ForAll(cases.ToArbitrary(), made =>
        {
            var ((topic, mask), cut) = made;
            var levels = topic.Split('/').Select((level, i) => (mask >> i & 1) == 1 ? "+" : level).ToList();
            if (cut < levels.Count) levels = [.. levels.Take(cut), "#"];
            return TopicFilter.Parse(string.Join('/', levels)).Matches(topic);
        }).Check(Config.QuickThrowOnFailure.WithMaxTest(2_000));
    }

    [Fact]
    public void Matching_allocates_nothing()
    {
        var filter = TopicFilter.Parse("fleet/+/device/+/#");
        filter.Matches("fleet/7/device/8/alarm");

        var before = GC.GetAllocatedBytesForCurrentThread();
        for (var i = 0; i < 1_000; i++) filter.Matches("fleet/7/device/8/alarm");

        Assert.Equal(0, GC.GetAllocatedBytesForCurrentThread() - before);
    }

    private static Gen<string> Levels(params string[] words) =>
        from count in Gen.Choose(1, 5)
        from levels in Gen.ArrayOf(Gen.Elements(words), count)
        select string.Join('/', levels);

    private static bool Plainly(string filter, string topic)
    {
        if (filter[0] is '+' or '#' && topic.StartsWith('$')) return false;
        return Rest(filter.Split('/'), topic.Split('/'));

        static bool Rest(string[] filter, string[] topic) => (filter, topic) switch
        {
            (["#"], _) => true,
            ([], []) => true,
            ([], _) or (_, []) => false,
            (["+", ..], _) => Rest(filter[1..], topic[1..]),
            _ => filter[0] == topic[0] && Rest(filter[1..], topic[1..]),
        };
    }
}
