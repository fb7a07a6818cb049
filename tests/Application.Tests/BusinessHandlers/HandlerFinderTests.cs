using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.Options;
using NSubstitute;
using WebhookService.Application.BusinessHandlers;
using WebhookService.Domain;
using WebhookService.Domain.Devices;

namespace WebhookService.Application.Tests.BusinessHandlers;

public sealed class HandlerFinderTests
{
    [Fact]
    public void Two_handlers_of_one_name_and_a_topic_that_is_none_end_the_start_with_a_sentence_each()
    {
        var finder = new HandlerFinder(
            [new HandlerAssembly(typeof(HandlerFinderTests).Assembly)], Substitute.For<IServiceProvider>(), new ConfigurationBuilder().Build());

        var mistakes = Assert.Throws<OptionsValidationException>(() => finder.All).Failures.ToList();

        Assert.Equal(2, mistakes.Count);
        Assert.Contains(mistakes, mistake => mistake.StartsWith("The handler 'twin'", StringComparison.Ordinal) && mistake.EndsWith("has the same name. Give one of them another with [Handler(Name = \"…\")].", StringComparison.Ordinal));
        Assert.Contains(mistakes, mistake => mistake.StartsWith("The handler 'bad-topic-v2'", StringComparison.Ordinal) && mistake.Contains("site/{site}/{site}", StringComparison.Ordinal));
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

    internal abstract class Silent : IBusinessHandler<DeviceDiscovered>
    {
        public Task HandleAsync(DeviceDiscovered happened, HandlingContext context, CancellationToken cancellation) => Task.CompletedTask;
    }
}
