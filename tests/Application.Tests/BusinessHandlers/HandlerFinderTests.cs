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

    [Fact]
    public void A_handler_of_a_plug_in_whose_constructor_fails_is_named_with_the_file_and_how_to_start_without_it()
    {
        var configuration = new ConfigurationBuilder().AddInMemoryCollection([KeyValuePair.Create("Handlers:fragile:Enabled", (string?)"true")]).Build();
        var finder = new HandlerFinder([new HandlerAssembly(typeof(HandlerFinderTests).Assembly, "plugins/X/X.dll")], Substitute.For<IServiceProvider>(), configuration);

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
