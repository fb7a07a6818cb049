using System.Globalization;
using System.Net;
using System.Text.Json;
using WebhookService.Application.Brokers;
using WebhookService.Domain;
using WebhookService.Domain.Downlinks;
using WebhookService.Domain.Messages;

namespace WebhookService.Infrastructure.Brokers;

/// <summary><c>/api/v4</c> of EMQX 4.x: whole seconds in the node's local time, "undefined" for what is not set, errors with status 200.</summary>
internal sealed class EmqxApiV4(EmqxHttp http, BrokerOptions options, TimeProvider time) : EmqxApi(http, options)
{
    public const string NodesPath = "/api/v4/nodes";
    private const string ClientsPath = "/api/v4/clients";

    /// <summary>How far a node's clock may be ahead of ours without its times being taken for those of an hour ago.</summary>
    private static readonly TimeSpan ClockDifference = TimeSpan.FromMinutes(10);

    private readonly TimeZoneInfo zone = options.Zone;

    protected override TimeSpan Precision => TimeSpan.FromSeconds(1);

    public override async Task<ListedPage> PageAsync(int number, CancellationToken cancellation)
    {
        using var answer = await AskAsync(ClientsPath, cancellation, $"?conn_state=connected&_page={number}&_limit={Options.PageSize}");
        return PageOf(answer);
    }

    public override async Task<ListedClient?> FindAsync(ClientId client, CancellationToken cancellation)
    {
        var id = Uri.EscapeDataString(client.Value);
        using var answer = FitsInPath(client)
            ? await AskAsync($"{ClientsPath}/{id}", cancellation)
            : await AskAsync(ClientsPath, cancellation, $"?clientid={id}");
        return OneOf(answer, client);
    }

    public override async Task<BrokerCondition> ConditionAsync(CancellationToken cancellation)
    {
        using var answer = await AskAsync(NodesPath, cancellation);
        return Condition(answer, answer.Json.Member("data"), await LostAsync(cancellation));
    }

    /// <summary>
    /// Always "0", whoever listens. `return` is in no manual: 4.4 answers the id then, and others pass it over. The client id is that under which 5.x
    /// publishes, so that nobody takes us for a device.
    /// </summary>
    public override async Task<PublishAnswer> PublishAsync(DownlinkOrder order, CancellationToken cancellation)
    {
        var body = Body(order, "encoding");
        (body["clientid"], body["return"]) = ("http_api", "msgid");
        using var answer = await Http.PostAsync("/api/v4/mqtt/publish", body, cancellation);
        return answer.Status switch
        {
            HttpStatusCode.OK when answer.Json.Integer("code") is 0 => new(PublishResult.Taken, MessageId.TryParse(answer.Json.Member("data")?.Text("msgid"))),
            HttpStatusCode.OK => throw answer.Unexpected($"was answered with an error{answer.Said}", answer.Json.Integer("code") is null ? BrokerFault.Unclear : BrokerFault.Refused),
            >= HttpStatusCode.BadRequest and < HttpStatusCode.InternalServerError => throw answer.Unexpected($"was answered {(int)answer.Status}{answer.Said}", BrokerFault.Refused),
            _ => throw answer.Unexpected($"was answered {(int)answer.Status}{answer.Said}"),
        };
    }

    /// <summary>4.x kicks whoever is named and says "0" of clients that it does not have, too: so it is asked first.</summary>
    public override async Task<bool> KickAsync(ClientId client, CancellationToken cancellation)
    {
        if (await FindAsync(client, cancellation) is null) return false;
        if (!FitsInPath(client)) throw new BrokerException($"EMQX 4.x cannot kick a client whose id is '{client}': it takes no such id in a path. Use emqx_ctl clients kick.") { Fault = BrokerFault.Refused };

        using var answer = await Http.DeleteAsync($"{ClientsPath}/{Uri.EscapeDataString(client.Value)}", cancellation);
        return answer.Json.Integer("code") is 0 ? true : throw answer.Unexpected($"was answered with an error{answer.Said}");
    }

    /// <summary>In the hour that a clock shows twice: the later moment, unless it is still to come.</summary>
    protected override DateTimeOffset? Time(string text)
    {
        if (!DateTime.TryParseExact(text, "yyyy-MM-dd HH:mm:ss", CultureInfo.InvariantCulture, DateTimeStyles.None, out var local)) return null;
        if (!zone.IsAmbiguousTime(local)) return new DateTimeOffset(local, zone.GetUtcOffset(local)).ToUniversalTime();

        var offsets = zone.GetAmbiguousTimeOffsets(local);
        var later = new DateTimeOffset(local, offsets.Min()).ToUniversalTime();
        return later > time.GetUtcNow() + ClockDifference ? new DateTimeOffset(local, offsets.Max()).ToUniversalTime() : later;
    }

    protected override string? Described(JsonElement client, string name) => client.Text(name) is { } text and not "undefined" ? text : null;

    /// <summary>What the rule engine's web actions failed to send; null where there are none: the plugin does not count.</summary>
    private async Task<long?> LostAsync(CancellationToken cancellation)
    {
        using var rules = await Http.GetAsync("/api/v4/rules", cancellation);
        if (rules.Status is not HttpStatusCode.OK || IsError(rules)) return null;

        long? lost = null;
        var actions = rules.Json.Member("data").Items().SelectMany(rule => rule.Member("actions").Items());
        foreach (var action in actions.Where(action => action.Text("name") is "data_to_webserver"))
            lost = (lost ?? 0) + action.Member("metrics").Items().Sum(node => node.Integer("failed") ?? 0);
        return lost;
    }

    private async Task<EmqxAnswer> AskAsync(string path, CancellationToken cancellation, string query = "")
    {
        var answer = await Http.GetAsync(path, cancellation, query);
        if (answer.Status is not HttpStatusCode.OK || !IsError(answer)) return answer;
        using (answer) throw answer.Unexpected($"was answered with an error{answer.Said}");
    }

    private static bool IsError(EmqxAnswer answer) => answer.Json.Integer("code") is not (null or 0);
}
