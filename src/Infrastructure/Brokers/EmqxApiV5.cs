using System.Globalization;
using System.Net;
using System.Text.Json;
using System.Text.Json.Nodes;
using WebhookService.Application.Brokers;
using WebhookService.Domain;
using WebhookService.Domain.Downlinks;
using WebhookService.Domain.Messages;

namespace WebhookService.Infrastructure.Brokers;

/// <summary><c>/api/v5</c> of EMQX 5.x and 6.x.</summary>
internal sealed class EmqxApiV5(EmqxHttp http, BrokerOptions options) : EmqxApi(http, options)
{
    public const string NodesPath = "/api/v5/nodes";
    private const string ClientsPath = "/api/v5/clients";

    /// <summary>One name that a version does not know makes it refuse the request, and only these are known to all that know "fields".</summary>
    private const string Fields =
        "&fields=clientid,username,node,connected_at,connected,ip_address,port,keepalive,proto_ver,proto_name,clean_start,expiry_interval,disconnected_at";

    private volatile bool fieldsAreRefused;

    protected override TimeSpan Precision => TimeSpan.FromMilliseconds(1);

    public override async Task<ListedPage> PageAsync(int number, CancellationToken cancellation)
    {
        var query = $"?conn_state=connected&page={number}&limit={Options.PageSize}";
        if (!fieldsAreRefused)
        {
            using var slim = await Http.GetAsync(ClientsPath, cancellation, query + Fields);
            if (slim.Status is not HttpStatusCode.BadRequest || !slim.Says("fields")) return PageOf(slim);
            fieldsAreRefused = true;
        }
        using var answer = await Http.GetAsync(ClientsPath, cancellation, query);
        return PageOf(answer);
    }

    public override async Task<ListedClient?> FindAsync(ClientId client, CancellationToken cancellation)
    {
        var id = Uri.EscapeDataString(client.Value);
        if (!FitsInPath(client))
        {
            using var list = await Http.GetAsync(ClientsPath, cancellation, $"?clientid={id}");
            return OneOf(list, client);
        }

        using var answer = await Http.GetAsync($"{ClientsPath}/{id}", cancellation);
        if (answer.Status is HttpStatusCode.NotFound && answer.Says("CLIENTID_NOT_FOUND")) return null;
        if (answer.Json.Text("clientid") != client.Value) throw answer.Unexpected("was answered with something else than the client asked for");
        return Known(answer, answer.Json);
    }

    public override async Task<BrokerCondition> ConditionAsync(CancellationToken cancellation)
    {
        using var answer = await Http.GetAsync(NodesPath, cancellation);
        return Condition(answer, answer.Json, await LostAsync(cancellation));
    }

    public override async Task<PublishAnswer> PublishAsync(DownlinkOrder order, CancellationToken cancellation)
    {
        using var answer = await Http.PostAsync("/api/v5/publish", Body(order, "payload_encoding"), cancellation);
        return answer.Status switch
        {
            HttpStatusCode.OK => new(PublishResult.Taken, MessageId.TryParse(answer.Json.Text("id"))),
            HttpStatusCode.Accepted => new(PublishResult.NoSubscriber), // 16, no_matching_subscribers; no id
            >= HttpStatusCode.BadRequest and < HttpStatusCode.InternalServerError => throw answer.Unexpected($"was answered {(int)answer.Status}{answer.Said}", BrokerFault.Refused),
            _ => throw answer.Unexpected($"was answered {(int)answer.Status}{answer.Said}"),
        };
    }

    public override async Task<bool> KickAsync(ClientId client, CancellationToken cancellation)
    {
        if (!FitsInPath(client))
        {
            if (await FindAsync(client, cancellation) is null) return false;
            using var all = await Http.PostAsync($"{ClientsPath}/kickout/bulk", new JsonArray(client.Value), cancellation);
            return all.Status is HttpStatusCode.NoContent ? true : throw all.Unexpected($"was answered {(int)all.Status}{all.Said}");
        }

        using var answer = await Http.DeleteAsync($"{ClientsPath}/{Uri.EscapeDataString(client.Value)}", cancellation);
        return answer.Status switch
        {
            HttpStatusCode.NoContent => true,
            HttpStatusCode.NotFound when answer.Says("CLIENTID_NOT_FOUND") => false,
            _ => throw answer.Unexpected($"was answered {(int)answer.Status}{answer.Said}"),
        };
    }

    protected override DateTimeOffset? Time(string text) =>
        DateTimeOffset.TryParse(text, CultureInfo.InvariantCulture, DateTimeStyles.AssumeUniversal, out var time) ? time.ToUniversalTime() : null;

    protected override string? Described(JsonElement client, string name) => client.Text(name);

    /// <summary>What the buffers of the HTTP actions (before 5.3: webhook bridges) gave up; null where there are none or they are not counted.</summary>
    private async Task<long?> LostAsync(CancellationToken cancellation)
    {
        using var actions = await Http.GetAsync("/api/v5/actions", cancellation);
        using var bridges = actions.Status is HttpStatusCode.NotFound ? await Http.GetAsync("/api/v5/bridges", cancellation) : null;
        var list = bridges ?? actions;
        if (list.Status is not HttpStatusCode.OK) return null;

        long? lost = null;
        foreach (var webhook in ((JsonElement?)list.Json).Items().Where(item => item.Text("type") is "http" or "webhook"))
        {
            var name = Uri.EscapeDataString(webhook.Text("name") ?? "");
            using var own = bridges is null ? await Http.GetAsync($"/api/v5/actions/{webhook.Text("type")}:{name}/metrics", cancellation) : null;
            // 5.3 has actions, but counts for the bridges that they are underneath.
            using var bridge = own is null or { Status: HttpStatusCode.NotFound or HttpStatusCode.MethodNotAllowed }
                ? await Http.GetAsync($"/api/v5/bridges/webhook:{name}/metrics", cancellation)
                : null;
            var counted = bridge ?? own!;
            if (counted.Status is HttpStatusCode.NotFound or HttpStatusCode.MethodNotAllowed) continue; // gone since it was listed, or too old to count
            if (counted.Status is not HttpStatusCode.OK || counted.Json.Member("metrics") is not { } metrics) return null;
            lost = (lost ?? 0) + (metrics.Integer("failed") ?? 0) + (metrics.Integer("dropped") ?? 0);
        }
        return lost;
    }
}
