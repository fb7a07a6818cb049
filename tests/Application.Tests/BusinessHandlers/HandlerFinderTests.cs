using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.Options;
using NSubstitute;
using WebhookService.Application.BusinessHandlers;
using WebhookService.Application.Consumers;
using WebhookService.Domain;
using WebhookService.Domain.Devices;

namespace WebhookService.Application.Tests.BusinessHandlers;

public sealed class HandlerFinderTests
{
    [Fact]
    public void Two_handlers_of_one_name_and_a_topic_that_is_none_end_the_start_with_a_sentence_each()
    {
        var finder = new HandlerFinder(
            [new HandlerAssembly(typeof(HandlerFinderTests).Assembly)], [], Substitute.For<IServiceProvider>(), new ConfigurationBuilder().Build());

        var mistakes = Assert.Throws<OptionsValidationException>(() => finder.All).Failures.ToList();

        Assert.Equal(2, mistakes.Count);
        Assert.Contains(mistakes, mistake => mistake.StartsWith("The handler 'twin'", StringComparison.Ordinal) && mistake.EndsWith("has the same name. Give one of them another with [Handler(Name = \"…\")].", StringComparison.Ordinal));
        Assert.Contains(mistakes, mistake => mistake.StartsWith("The handler 'bad-topic-v2'", StringComparison.Ordinal) && mistake.Contains("site/{site}/{site}", StringComparison.Ordinal));
    }

    [Fact]
    public void A_consumer_of_the_configuration_has_the_settings_of_a_handler_and_a_name_of_its_own()
    {
        var source = Substitute.For<IConsumerSource>();
        source.Plans().Returns([Plan("notice-rule-a"), Plan("notice-rule-b"), Plan("notice-rule-b")]);
        var settings = new Dictionary<string, string?> { ["Handlers:notice-rule-a:Attempts"] = "3", ["Handlers:notice-rule-c:Attempts"] = "3" };

        var mistakes = Assert.Throws<OptionsValidationException>(() => Finder().All).Failures.ToList();
        Assert.StartsWith("The handler 'notice-rule-b' cannot run: ", Assert.Single(mistakes), StringComparison.Ordinal);

        source.Plans().Returns([Plan("notice-rule-a"), Plan("notice-rule-b")]);
        Assert.StartsWith("Handlers:notice-rule-c is for no handler. There are: notice-rule-a, notice-rule-b.", Assert.Single(Assert.Throws<OptionsValidationException>(() => Finder().All).Failures), StringComparison.Ordinal);

        source.Plans().Returns([Plan("notice-rule-a"), Plan("notice-rule-c")]);
        Assert.Equal([3, 3], Finder().All.Select(one => one.Consumer!.Options.Attempts));
        Assert.All(Finder().All, one => Assert.Equal(TimeSpan.FromMinutes(7), one.Consumer!.Options.LongestDelay));

        HandlerFinder Finder() => new([], [source], Substitute.For<IServiceProvider>(), new ConfigurationBuilder().AddInMemoryCollection(settings).Build());

        static ConsumerPlan Plan(string name) => new(name, new ConsumerOptions { LongestDelay = TimeSpan.FromMinutes(7) }, options =>
        {
            var consumer = Substitute.For<IConsumer>();
            consumer.Name.Returns(name);
            consumer.Options.Returns(options);
            return consumer;
        });
    }

    [Fact]
    public void A_handler_of_a_plug_in_whose_constructor_fails_is_named_with_the_file_and_how_to_start_without_it()
    {
        var configuration = new ConfigurationBuilder().AddInMemoryCollection([KeyValuePair.Create("Handlers:fragile:Enabled", (string?)"true")]).Build();
        var finder = new HandlerFinder([new HandlerAssembly(typeof(HandlerFinderTests).Assembly, "plugins/X/X.dll")], [], Substitute.For<IServiceProvider>(), configuration);

        var mistake = Assert.Throws<OptionsValidationException>(() => finder.All).Failures.Single(one => one.Contains("'fragile'", StringComparison.Ordinal));

        Assert.Contains("plugins/X/X.dll) cannot run: FormatException: broken glass", mistake, StringComparison.Ordinal);
        Assert.Contains("Handlers:fragile:Enabled=false", mistake, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("site/{site}/+/alarm", "site/north/pump/alarm", "site=north")]
    [InlineData("{a}/{b}", "x/y", "a=x b=y")]
    [InlineData("{a}/#", "x/y/z", "a=x")]
    [InlineData("a/+", "a/b", "")]
    [InlineData("{a}/b", "x/c", null)]
    [InlineData("{a}", "x/y", null)]
    public void A_named_topic_tells_its_levels(string filter, string topic, string? names)
    {
        var named = new NamedTopic(filter);

        var told = named.Matches(topic) ? string.Join(' ', named.NamesIn(topic).OrderBy(one => one.Key).Select(one => $"{one.Key}={one.Value}")) : null;

        Assert.Equal(names, told);
    }

    [Theory]
    [InlineData("a/{}")]
    [InlineData("{a}/{a}")]
    [InlineData("a/#/b")]
    public void A_named_topic_that_is_none_is_refused(string filter) => Assert.Throws<DomainException>(() => new NamedTopic(filter));

    [Handler(Name = "twin")]
    internal sealed class One : Silent;

    [Handler(Name = "twin")]
    internal sealed class Other : Silent;

    [Topic("site/{site}/{site}")]
    internal sealed class BadTopicV2 : Silent;

    [Handler(IsOff = true)]
    internal sealed class Fragile : Silent
    {
        public Fragile() => throw new FormatException("broken glass");
    }

    internal abstract class Silent : IBusinessHandler<DeviceDiscovered>
    {
        public Task HandleAsync(DeviceDiscovered happened, HandlingContext context, CancellationToken cancellation) => Task.CompletedTask;
    }
}
