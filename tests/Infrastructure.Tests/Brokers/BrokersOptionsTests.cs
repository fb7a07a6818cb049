using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Options;
using WebhookService.Application.Brokers;
using WebhookService.Infrastructure.Brokers;
using WebhookService.Tests;

namespace WebhookService.Infrastructure.Tests.Brokers;

public sealed class BrokersOptionsTests
{
    private static readonly Dictionary<string, string?> One = new(StringComparer.Ordinal)
    {
        ["Brokers:0:Url"] = "http://emqx:18083",
        ["Brokers:0:ApiKey"] = "key",
        ["Brokers:0:ApiSecret"] = "s3cret",
    };

    private static readonly Dictionary<string, string?> Two = new(One, StringComparer.Ordinal)
    {
        ["Brokers:0:Name"] = "east",
        ["Brokers:0:Nodes"] = "emqx@east-*",
        ["Brokers:1:Name"] = "west",
        ["Brokers:1:Nodes"] = "emqx@west-*",
        ["Brokers:1:Url"] = "https://west.example.com/emqx/api/v5",
        ["Brokers:1:Token"] = "token",
    };

    [Fact]
    public void None_is_no_mistake()
    {
        using var provider = Provider([]);

        Assert.Empty(provider.GetRequiredService<IReadOnlyList<IBroker>>());
    }

    [Fact]
    public void Each_becomes_a_broker_that_owns_its_nodes()
    {
        using var provider = Provider(Two);

        var brokers = provider.GetRequiredService<IReadOnlyList<IBroker>>();

        Assert.Equal(["east", "west"], brokers.Select(broker => broker.Name));
        Assert.Equal([true, false], brokers.Select(broker => broker.Owns("emqx@east-1")));
        Assert.Equal([false, true], brokers.Select(broker => broker.Owns("emqx@west-1")));
        Assert.Equal([false, false], brokers.Select(broker => broker.Owns("emqx@north-1")));
        Assert.Equal([true, true], brokers.Select(broker => broker.Owns("")));
    }

    [Fact]
    public async Task A_configured_broker_is_asked()
    {
        await using var emqx = await FakeEmqx.StartAsync(FakeEmqx.V6);
        emqx.Connect("pump-1");
        using var provider = Provider(emqx.Settings());
        var broker = Assert.Single(provider.GetRequiredService<IReadOnlyList<IBroker>>());

        var ids = await broker.IdsAsync();

        Assert.Equal(["pump-1"], ids);
    }

    [Theory]
    [InlineData()]
    [InlineData("Name", "Version", "Nodes", "TimeZone")]
    public void What_is_left_out_or_null_has_its_default(params string[] nulls)
    {
        using var provider = Provider(One.Concat(nulls.Select(name => KeyValuePair.Create($"Brokers:0:{name}", (string?)null))).ToDictionary(StringComparer.Ordinal));

        var options = Assert.Single(provider.GetRequiredService<IOptions<BrokersOptions>>().Value.All);

        Assert.Equal(("emqx", "auto", "*", "UTC", 1000, TimeSpan.FromSeconds(10)), (options.Name, options.Version, options.Nodes, options.TimeZone, options.PageSize, options.Timeout));
    }

    [Theory]
    [InlineData("Name", "", "Brokers:0:Name")]
    [InlineData("Name", "two words", "Brokers:0:Name is 'two words'")]
    [InlineData("Url", "", "Brokers:0:Url is missing")]
    [InlineData("Url", "emqx:18083", "Brokers:0:Url is no address")]
    [InlineData("Url", "/api/v5", "Brokers:0:Url is no address")]
    [InlineData("Url", "mqtt://emqx:1883", "Brokers:0:Url is no address")]
    [InlineData("Url", "http://key:s3cret@emqx:18083", "put them into Brokers:0:ApiKey")]
    [InlineData("Url", "http://emqx:18083/?token=s3cret", "leave out what begins with '?'")]
    [InlineData("ApiKey", "", "Brokers:0:ApiKey is missing")]
    [InlineData("ApiSecret", null, "Brokers:0:ApiSecret is missing")]
    [InlineData("ApiKey", "key:s3cret", "Brokers:0:ApiKey holds a colon")]
    [InlineData("ApiSecret", "s3cret\n", "Brokers:0:ApiSecret holds a line break")]
    [InlineData("Token", "s3cret", "keep one kind")]
    [InlineData("Version", "3", "Brokers:0:Version is '3'")]
    [InlineData("Nodes", "", "Brokers:0:Nodes is empty")]
    [InlineData("TimeZone", "Mars/Olympus", "Brokers:0:TimeZone is 'Mars/Olympus'")]
    [InlineData("PageSize", "0", "Brokers:0:PageSize is 0")]
    [InlineData("PageSize", "10001", "Brokers:0:PageSize is 10001")]
    [InlineData("Timeout", "00:00:00.5", "Brokers:0:Timeout is 00:00:00.5")]
    [InlineData("Timeout", "00:05:01", "Brokers:0:Timeout is 00:05:01")]
    public void A_mistake_is_named_without_the_secret(string key, string? value, string sentence) =>
        AssertMistake(new(One, StringComparer.Ordinal) { [$"Brokers:0:{key}"] = value }, sentence);

    [Fact]
    public void A_setting_outside_the_list_is_named() =>
        AssertMistake(new(One, StringComparer.Ordinal) { ["Brokers:Url"] = "http://emqx:18083" }, "Brokers:Url is a setting of no broker: Brokers is a list, so write Brokers:0:Url");

    [Theory]
    [InlineData("", "auto", "Brokers:0 has no credentials")]
    [InlineData("s3cret\n", "auto", "Brokers:0:Token holds a space")]
    [InlineData("tokén", "auto", "Brokers:0:Token holds a space")]
    [InlineData("s3cret", "4", "Brokers:0:Token does not open EMQX 4.x")]
    public void A_mistaken_token_is_named(string token, string version, string sentence) =>
        AssertMistake(new(StringComparer.Ordinal) { ["Brokers:0:Url"] = "http://emqx:18083", ["Brokers:0:Token"] = token, ["Brokers:0:Version"] = version }, sentence);

    [Theory]
    [InlineData("Name", "EAST", "Brokers:0 and Brokers:1 have the same name")]
    [InlineData("Nodes", "emqx@east-*", "Brokers:0 and Brokers:1 have the same Nodes 'emqx@east-*'")]
    [InlineData("Nodes", "*", "Brokers:1:Nodes is '*', every node")]
    public void Brokers_that_claim_the_same_are_named(string key, string value, string sentence) =>
        AssertMistake(new(Two, StringComparer.Ordinal) { [$"Brokers:1:{key}"] = value }, sentence);

    private static void AssertMistake(Dictionary<string, string?> settings, string sentence)
    {
        using var provider = Provider(settings);

        var mistakes = Assert.Throws<OptionsValidationException>(() => provider.GetRequiredService<IReadOnlyList<IBroker>>());

        Assert.Contains(sentence, Assert.Single(mistakes.Failures), StringComparison.Ordinal);
        Assert.DoesNotContain("s3cret", mistakes.Message, StringComparison.Ordinal);
    }

    private static ServiceProvider Provider(Dictionary<string, string?> settings)
    {
        var services = new ServiceCollection();
        services.AddSingleton(TimeProvider.System);
        services.AddInfrastructure(new ConfigurationBuilder().AddInMemoryCollection(settings).Build());
        return services.BuildServiceProvider();
    }
}
