using System.Buffers;
using System.Text.RegularExpressions;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.Options;

namespace WebhookService.Infrastructure.Brokers;

/// <summary>Section <c>Brokers</c>: the brokers whose management APIs are asked. None is a valid answer.</summary>
public sealed class BrokersOptions
{
    public const string Section = "Brokers";

    public IList<BrokerOptions> All { get; } = [];

    /// <summary>Settings that stand where an entry of the list should.</summary>
    internal IList<string> Strays { get; } = [];

    internal void Bind(IConfigurationSection section)
    {
        foreach (var entry in section.GetChildren())
        {
            if (entry.Value is not null)
            {
                Strays.Add(entry.Path);
                continue;
            }
            var broker = new BrokerOptions { Path = entry.Path };
            entry.Bind(broker);
            All.Add(broker);
        }
    }
}

/// <summary><c>Brokers:‹n›</c>: one broker or cluster of EMQX 4.x, 5.x or 6.x. Changes take a restart.</summary>
public sealed class BrokerOptions
{
    /// <summary>Where it stands in the configuration, for messages.</summary>
    internal string Path { get; init; } = BrokersOptions.Section + ":0";

    /// <summary>What we call it.</summary>
    public string Name { get; set => field = value ?? "emqx"; } = "emqx";

    /// <summary>
    /// Address of the management API, such as <c>http://emqx:18083</c>. A path is kept; <c>/api/v5</c> or <c>/api/v4</c> at its end makes no difference.
    /// </summary>
    public string Url { get; set => field = value ?? ""; } = "";

    /// <summary>API key (5.x, 6.x) or application id (4.x), with <see cref="ApiSecret"/>.</summary>
    public string? ApiKey { get; set; }

    public string? ApiSecret { get; set; }

    /// <summary>Instead of key and secret: a bearer token (5.x, 6.x). Those of the dashboard's login expire.</summary>
    public string? Token { get; set; }

    /// <summary><c>4</c>, <c>5</c> (5.x and 6.x), or <c>auto</c>: the broker is asked.</summary>
    public string Version { get; set => field = value ?? Auto; } = Auto;

    /// <summary>Which nodes' sessions are this broker's: a node name in which <c>*</c> stands for any characters.</summary>
    public string Nodes { get; set => field = value ?? "*"; } = "*";

    /// <summary>IANA name of the zone that the nodes' clocks show: 4.x writes times without saying it.</summary>
    public string TimeZone { get; set => field = value ?? "UTC"; } = "UTC";

    /// <summary>Clients per request, 1 to 10,000.</summary>
    public int PageSize { get; set; } = 1000;

    /// <summary>For one request, its answer included: 1 second to 5 minutes.</summary>
    public TimeSpan Timeout { get; set; } = TimeSpan.FromSeconds(10);

    internal const string Auto = "auto";

    internal TimeZoneInfo Zone => TimeZoneInfo.FindSystemTimeZoneById(TimeZone);

    /// <summary>The address without a slash or version at its end.</summary>
    internal string Root => BrokersOptionsCheck.ApiVersion().Replace(new Uri(Url).AbsoluteUri, "");
}

/// <summary>Finds the mistakes of section <c>Brokers</c>. No message repeats a secret.</summary>
internal sealed partial class BrokersOptionsCheck : IValidateOptions<BrokersOptions>
{
    private static readonly SearchValues<char> Visible = SearchValues.Create([.. Enumerable.Range('!', '~' - '!' + 1).Select(code => (char)code)]);

    public ValidateOptionsResult Validate(string? name, BrokersOptions options)
    {
        var mistakes = options.Strays
            .Select(path => $"{path} is a setting of no broker: Brokers is a list, so write {BrokersOptions.Section}:0{path[BrokersOptions.Section.Length..]}.")
            .Concat(options.All.SelectMany(MistakesOf)).Concat(MistakesBetween(options.All)).ToList();
        return mistakes.Count == 0 ? ValidateOptionsResult.Success : ValidateOptionsResult.Fail(mistakes);
    }

    private static IEnumerable<string> MistakesOf(BrokerOptions broker)
    {
        var key = broker.Path;
        if (!Name().IsMatch(broker.Name))
            yield return $"{key}:Name is '{broker.Name}': a name is made of letters and digits, joined by single '-', '_' or '.', and has at most 64.";

        if (broker.Url.Length == 0)
            yield return $"{key}:Url is missing: give the address of the management API, such as http://emqx:18083 (4.x: http://emqx:8081).";
        else if (!Uri.TryCreate(broker.Url, UriKind.Absolute, out var url) || url.Scheme is not ("http" or "https"))
            yield return $"{key}:Url is no address: give one with http or https, such as http://emqx:18083 (4.x: http://emqx:8081).";
        else if (url.UserInfo.Length > 0)
            yield return $"{key}:Url holds a user or password: put them into {key}:ApiKey and {key}:ApiSecret, where they are kept out of messages.";
        else if (url.Query.Length > 0 || url.Fragment.Length > 0)
            yield return $"{key}:Url goes on after its path: leave out what begins with '?' or '#'.";

        foreach (var mistake in MistakesOfCredentials(broker, key)) yield return mistake;

        if (broker.Version is not (BrokerOptions.Auto or "4" or "5"))
            yield return $"{key}:Version is '{broker.Version}'; known are 'auto', '4' and '5' (5.x and 6.x).";
        if (string.IsNullOrWhiteSpace(broker.Nodes))
            yield return $"{key}:Nodes is empty: give a node name such as emqx@10.0.0.1, with '*' for any characters, or '*' alone.";
        if (!TimeZoneInfo.TryFindSystemTimeZoneById(broker.TimeZone, out _))
            yield return $"{key}:TimeZone is '{broker.TimeZone}', which this machine does not know: "
                + "give an IANA name such as Asia/Shanghai, or install the time zone data (package tzdata).";
        if (broker.PageSize is < 1 or > 10_000)
            yield return $"{key}:PageSize is {broker.PageSize}: give 1 to 10000.";
        if (broker.Timeout < TimeSpan.FromSeconds(1) || broker.Timeout > TimeSpan.FromMinutes(5))
            yield return $"{key}:Timeout is {broker.Timeout}: give 00:00:01 to 00:05:00.";
    }

    private static IEnumerable<string> MistakesOfCredentials(BrokerOptions broker, string key)
    {
        var (apiKey, apiSecret, token) = (!string.IsNullOrEmpty(broker.ApiKey), !string.IsNullOrEmpty(broker.ApiSecret), !string.IsNullOrEmpty(broker.Token));
        if (token && (apiKey || apiSecret))
            yield return $"{key} has both a Token and an ApiKey or ApiSecret: keep one kind.";
        else if (!token && !apiKey && !apiSecret)
            yield return $"{key} has no credentials: give ApiKey and ApiSecret (docs/brokers.md tells how to make them), or Token.";
        else if (apiKey != apiSecret)
            yield return $"{key}:{(apiKey ? "ApiSecret" : "ApiKey")} is missing: ApiKey and ApiSecret go together.";

        if (token && broker.Version is "4")
            yield return $"{key}:Token does not open EMQX 4.x: give ApiKey and ApiSecret, the application's id and secret.";
        if (broker.Token is not null && broker.Token.AsSpan().ContainsAnyExcept(Visible))
            yield return $"{key}:Token holds a space, a line break or another character that no token has: was a file's last line break taken along?";
        if (broker.ApiKey is not null && (broker.ApiKey.Any(char.IsControl) || broker.ApiKey.Contains(':', StringComparison.Ordinal)))
            yield return $"{key}:ApiKey holds a colon or a line break, which Basic authentication can't carry: give the key alone.";
        if (broker.ApiSecret is not null && broker.ApiSecret.Any(char.IsControl))
            yield return $"{key}:ApiSecret holds a line break or another control character: was a file's last line break taken along?";
    }

    private static IEnumerable<string> MistakesBetween(IList<BrokerOptions> brokers)
    {
        foreach (var same in brokers.GroupBy(broker => broker.Name, StringComparer.OrdinalIgnoreCase).Where(group => group.Count() > 1))
            yield return $"{Paths(same)} have the same name '{same.Key}': give each broker a Name of its own.";

        // A session belongs to one broker: another that claims it would take it for lost.
        if (brokers.Count < 2) yield break;
        foreach (var broker in brokers.Where(broker => broker.Nodes.All(character => character is '*') && broker.Nodes.Length > 0))
            yield return $"{broker.Path}:Nodes is '{broker.Nodes}', every node, but there are several brokers: "
                + "give each a pattern that fits its own nodes alone, such as emqx@eu-*.";
        var patterns = brokers.Where(broker => broker.Nodes.Any(character => character is not '*')).GroupBy(broker => broker.Nodes);
        foreach (var same in patterns.Where(group => group.Count() > 1))
            yield return $"{Paths(same)} have the same Nodes '{same.Key}': give each broker a pattern that fits its own nodes alone.";
    }

    private static string Paths(IEnumerable<BrokerOptions> brokers) => string.Join(" and ", brokers.Select(broker => broker.Path));

    [GeneratedRegex("^(?=.{1,64}$)[A-Za-z0-9]+([-_.][A-Za-z0-9]+)*$", RegexOptions.ExplicitCapture, 10_000)]
    private static partial Regex Name();

    [GeneratedRegex("(/api/v[45])?/*$", RegexOptions.ExplicitCapture, 10_000)]
    internal static partial Regex ApiVersion();
}
