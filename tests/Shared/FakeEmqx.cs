using System.Collections.Concurrent;
using System.Globalization;
using System.Text;
using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Json.Nodes;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Hosting.Server;
using Microsoft.AspNetCore.Hosting.Server.Features;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;
using Microsoft.AspNetCore.WebUtilities;
using Microsoft.Extensions.DependencyInjection;

namespace WebhookService.Tests;

/// <summary>
/// EMQX's management API on a real Kestrel at a free port of 127.0.0.1. It answers as the recorded brokers did (recordings/README.md), from a
/// list of clients that a test changes, and misbehaves on demand.
/// <code>
/// await using var emqx = await FakeEmqx.StartAsync(FakeEmqx.V5);
/// emqx.Connect("pump-1", connectedAt: T1);
/// emqx.LeaveOut("pump-1");
/// emqx.Once("/clients", FakeAnswer.Status(500));
/// </code>
/// </summary>
public sealed class FakeEmqx : IAsyncDisposable
{
    public const string ApiKey = "key-of-the-tests";
    public const string ApiSecret = "secret-of-the-tests";
    public const string Token = "token-of-the-tests";

    /// <summary>The node that exists from the start; "emqx@127.0.0.1".</summary>
    public const string FirstNode = "emqx@127.0.0.1";

    public static readonly FakeEmqxVersion V4 = new("4.4.19");
    public static readonly FakeEmqxVersion V51 = new("5.1.6");
    public static readonly FakeEmqxVersion V53 = new("5.3.2");
    public static readonly FakeEmqxVersion V5 = new("5.8.9");
    public static readonly FakeEmqxVersion V6 = new("6.0.2");

    private static readonly JsonSerializerOptions AsEmqx = new() { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };

    // What 5.8.9 and 6.0.2 accept in "fields".
    private static readonly string[] KnownFields =
    [
        "clientid", "username", "node", "connected_at", "connected", "ip_address", "port", "keepalive", "proto_ver", "proto_name", "clean_start",
        "expiry_interval", "disconnected_at", "created_at", "mountpoint",
    ];

    private readonly Lock gate = new();
    private readonly FakeEmqxVersion version;
    private readonly List<FakeClient> clients = [];
    private readonly Dictionary<string, bool> nodes = new(StringComparer.Ordinal) { [FirstNode] = true };
    private readonly HashSet<string> leftOut = [];
    private readonly HashSet<string> doubled = [];
    private readonly List<(string Path, FakeAnswer Answer)> once = [];
    private readonly ConcurrentQueue<FakeRequest> requests = new();
    private readonly ConcurrentQueue<FakePublish> published = new();
    private readonly ConcurrentQueue<string> kicked = new();
    private ushort messages;
    private WebApplication app = null!;
    private int port = 40_000;

    private FakeEmqx(FakeEmqxVersion version) => this.version = version;

    /// <summary>Where it listens; <c>/api/v…</c> begins below.</summary>
    public Uri Address { get; private set; } = null!;

    /// <summary>What was asked, in order, refused requests included.</summary>
    public IReadOnlyList<FakeRequest> Requests => [.. requests];

    /// <summary>Called before each answer: may change the list of clients, and may answer instead.</summary>
    public Func<FakeRequest, FakeAnswer?>? Asked { get; set; }

    /// <summary>The list ends after so many clients, and says that it is whole.</summary>
    public int? ListOnly { get; set; }

    /// <summary>Behind the last client come empty pages that promise more (4.x, <c>_limit=0</c>).</summary>
    public bool PromisesMore { get; set; }

    /// <summary>Lookups of one client find nobody, whatever the list says.</summary>
    public bool LookupsFindNobody { get; set; }

    /// <summary>How far its clock is ahead.</summary>
    public TimeSpan ClockOffset { get; set; }

    /// <summary>In which a 4.x broker writes its times.</summary>
    public TimeZoneInfo TimeZone { get; set; } = TimeZoneInfo.Utc;

    /// <summary>Webhook requests that it counted as failed.</summary>
    public long Failed { get; set; }

    /// <summary>Webhook requests that it counted as dropped; 4.x drops none.</summary>
    public long Dropped { get; set; }

    /// <summary>Whether it has a webhook whose requests it counts, beside actions of other kinds that have failures of their own.</summary>
    public bool HasWebhook { get; set; } = true;

    /// <summary>Topics that somebody is subscribed to; null for all of them.</summary>
    public HashSet<string>? SubscribedTopics { get; set; }

    /// <summary>Before 4.4: it does not know <c>return</c>, so that nobody learns the ids.</summary>
    public bool TellsNoIds { get; set; }

    /// <summary>What was published through the API and taken, in order.</summary>
    public IReadOnlyList<FakePublish> Published => [.. published];

    /// <summary>Whom the API was told to kick, and did.</summary>
    public IReadOnlyList<string> Kicked => [.. kicked];

    /// <summary>Called with what was published, before the answer: its reports may overtake it.</summary>
    public Func<FakePublish, Task>? Publishing { get; set; }

    /// <summary>The configuration that leads to it: <c>Brokers:‹index›:…</c>.</summary>
    public Dictionary<string, string?> Settings(int index = 0) => new(StringComparer.Ordinal)
    {
        [$"Brokers:{index}:Url"] = Address.AbsoluteUri,
        [$"Brokers:{index}:ApiKey"] = ApiKey,
        [$"Brokers:{index}:ApiSecret"] = ApiSecret,
    };

    public static async Task<FakeEmqx> StartAsync(FakeEmqxVersion version)
    {
        var emqx = new FakeEmqx(version);
        var builder = WebApplication.CreateEmptyBuilder(new());
        builder.WebHost.UseKestrelCore().UseUrls("http://127.0.0.1:0");
        builder.WebHost.ConfigureKestrel(kestrel =>
        {
            kestrel.AddServerHeader = false;
            kestrel.Limits.MaxRequestLineSize = 256 * 1024; // the longest client id, percent-encoded
            kestrel.Limits.MaxRequestBufferSize = 512 * 1024;
        });
        emqx.app = builder.Build();
        emqx.app.Run(emqx.AnswerAsync);
        await emqx.app.StartAsync();
        emqx.Address = new(emqx.app.Services.GetRequiredService<IServer>().Features.GetRequiredFeature<IServerAddressesFeature>().Addresses.First());
        return emqx;
    }

    /// <summary>A client connects; a session that it had is gone.</summary>
    public FakeClient Connect(string clientId, string node = FirstNode, DateTimeOffset? connectedAt = null, string? username = null, int? port = null)
    {
        lock (gate)
        {
            clients.RemoveAll(client => client.ClientId == clientId);
            nodes.TryAdd(node, true);
            var client = new FakeClient(clientId, node, connectedAt ?? DateTimeOffset.UtcNow, port ?? ++this.port) { Username = username };
            clients.Add(client);
            return client;
        }
    }

    /// <summary>A client leaves; with <paramref name="keepsSession"/> its session waits for it and is listed as not connected.</summary>
    public void Disconnect(string clientId, DateTimeOffset? at = null, bool keepsSession = false)
    {
        lock (gate)
        {
            var client = clients.Single(one => one.ClientId == clientId);
            if (keepsSession) (client.DisconnectedAt, client.CleanStart, client.ExpirySeconds) = (at ?? DateTimeOffset.UtcNow, false, 7200);
            else clients.Remove(client);
        }
    }

    /// <summary>A node stops and takes its clients along; the others still name it.</summary>
    public void StopNode(string node)
    {
        lock (gate)
        {
            nodes[node] = false;
            clients.RemoveAll(client => client.Node == node);
        }
    }

    public void StartNode(string node)
    {
        lock (gate) nodes[node] = true;
    }

    /// <summary>A node leaves the cluster, its clients with it.</summary>
    public void RemoveNode(string node)
    {
        lock (gate)
        {
            nodes.Remove(node);
            clients.RemoveAll(client => client.Node == node);
        }
    }

    /// <summary>Lists do not hold these clients from now on; lookups find them.</summary>
    public void LeaveOut(params string[] clientIds)
    {
        lock (gate) leftOut.UnionWith(clientIds);
    }

    /// <summary>Lists hold these clients twice from now on.</summary>
    public void ListTwice(params string[] clientIds)
    {
        lock (gate) doubled.UnionWith(clientIds);
    }

    /// <summary>The next request whose path ends with <paramref name="path"/> is answered so; several wait for their turn.</summary>
    public void Once(string path, FakeAnswer answer)
    {
        lock (gate) once.Add((path, answer));
    }

    public async ValueTask DisposeAsync() => await app.DisposeAsync();

    private async Task AnswerAsync(HttpContext context)
    {
        var target = context.Features.GetRequiredFeature<IHttpRequestFeature>().RawTarget;
        var split = target.IndexOf('?', StringComparison.Ordinal);
        var request = new FakeRequest(context.Request.Method, split < 0 ? target : target[..split], split < 0 ? "" : target[split..], context.Request.Headers.Authorization.ToString())
        {
            Body = await new StreamReader(context.Request.Body).ReadToEndAsync(context.RequestAborted),
        };
        requests.Enqueue(request);

        var answer = Asked?.Invoke(request) ?? Waiting(request.Path);
        if (answer is null or { GoesOn: true })
        {
            var usual = Refused(request) ?? (request.Method is "GET" ? version.IsV4 ? AnswerV4(request) : AnswerV5(request) : version.IsV4 ? await DoV4Async(request) : await DoV5Async(request));
            answer = answer is null ? usual : usual with { Delay = answer.Delay, IsCut = answer.IsCut, IsShort = answer.IsShort };
        }
        await SendAsync(context, answer);
    }

    private FakeAnswer? Waiting(string path)
    {
        lock (gate)
        {
            var index = once.FindIndex(one => path.EndsWith(one.Path, StringComparison.Ordinal));
            if (index < 0) return null;
            var answer = once[index].Answer;
            once.RemoveAt(index);
            return answer;
        }
    }

    private async Task SendAsync(HttpContext context, FakeAnswer answer)
    {
        await Task.Delay(answer.Delay, context.RequestAborted).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        if (answer.IsDropped)
        {
            context.Abort();
            return;
        }

        var body = Encoding.UTF8.GetBytes(answer.Body);
        if (answer.IsShort) body = body[..(body.Length / 2)];
        var response = context.Response;
        response.StatusCode = answer.Code;
        response.Headers.Server = "Cowboy";
        response.Headers.Date = answer.Date ?? (DateTimeOffset.UtcNow + ClockOffset).ToString("r", CultureInfo.InvariantCulture);
        if (answer.Location is not null) response.Headers.Location = answer.Location;
        if (answer.Code == StatusCodes.Status401Unauthorized && version.IsV4)
            (response.Headers.WWWAuthenticate, response.Headers.Connection) = ("Basic Realm=\"minirest-server\"", "close");
        if (body.Length > 0) response.ContentType = answer.ContentType;
        response.ContentLength = body.Length;
        await response.Body.WriteAsync(answer.IsCut ? body.AsMemory(0, body.Length / 2) : body);
        if (!answer.IsCut) return;
        await response.Body.FlushAsync();
        context.Abort();
    }

    private FakeAnswer? Refused(FakeRequest request)
    {
        var basic = "Basic " + Convert.ToBase64String(Encoding.UTF8.GetBytes($"{ApiKey}:{ApiSecret}"));
        if (request.Authorization == basic) return null;
        if (version.IsV4) return FakeAnswer.Status(401, "UNAUTHORIZED");
        if (request.Authorization == $"Bearer {Token}") return null;
        if (request.Authorization.Length == 0) return Error(401, "AUTHORIZATION_HEADER_ERROR", "Support authorization: basic/bearer ");
        if (request.Authorization.StartsWith("Bearer ", StringComparison.Ordinal)) return Error(401, "BAD_TOKEN", "Get a new token by POST /login");
        return IsBasic(request.Authorization) ? Error(401, "BAD_API_KEY_OR_SECRET", "Check api_key/api_secret") : FakeAnswer.Status(500);
    }

    private static bool IsBasic(string authorization)
    {
        var buffer = new byte[authorization.Length];
        return authorization.StartsWith("Basic ", StringComparison.Ordinal) && Convert.TryFromBase64String(authorization[6..], buffer, out var length)
            && buffer.AsSpan(0, length).Contains((byte)':');
    }

    // ---- /api/v5 ----

    private FakeAnswer AnswerV5(FakeRequest request) => Segments(request.Path) switch
    {
        ["api", "v5", "nodes"] => Json(new JsonArray([.. Nodes().Select(NodeV5)])),
        ["api", "v5", "clients"] => ListV5(request),
        ["api", "v5", "clients", var id] => Find(id) is { } client ? Json(ClientV5(client)) : Error(404, "CLIENTID_NOT_FOUND", "Client ID not found"),
        ["api", "v5", "actions"] when version.HasActions => Json(new JsonArray([.. Actions()])),
        ["api", "v5", "actions", _, "metrics"] when version == V53 => FakeAnswer.Status(405),
        ["api", "v5", "actions", var id, "metrics"] when version.HasActions => Metrics(id),
        ["api", "v5", "bridges"] when version.HasBridges => Json(new JsonArray([.. Actions()])),
        ["api", "v5", "bridges", var id, "metrics"] when version.HasBridges => Metrics(id),
        _ => FakeAnswer.Status(404, """{"code": "NOT_FOUND", "message": "Request Path Not Found"}""", "application/json"),
    };

    private FakeAnswer ListV5(FakeRequest request)
    {
        var query = QueryHelpers.ParseQuery(request.Query);
        if (Number(query, "page", 1, int.MaxValue, "pos_integer()", out var page) is { } badPage) return badPage;
        if (Number(query, "limit", 1, 10_000, "1..10000", out var limit) is { } badLimit) return badLimit;
        if (query.TryGetValue("conn_state", out var state) && state.ToString() is not ("connected" or "disconnected" or "idle"))
            return BadRequest($$"""{"value":"{{state}}","reason":"unable_to_convert_to_enum_symbol","path":"conn_state","kind":"validation_error"}""");

        string[]? fields = null;
        if (query.TryGetValue("fields", out var asked) && asked.ToString() != "all" && version.KnowsFields)
        {
            fields = asked.ToString().Split(',');
            if (Array.FindIndex(fields, field => !KnownFields.Contains(field)) is >= 0 and var unknown)
                return BadRequest($$$"""{"reason":"matched_no_union_member","path":"fields","mismatches":{"array":{"value":"{{{fields[unknown]}}}","reason":"not_a_enum_symbol","path":"fields.{{{unknown + 1}}}","kind":"validation_error"},"all":{"value":{{{JsonSerializer.Serialize(fields, AsEmqx)}}},"reason":{"expected":"all"},"path":"fields","kind":"validation_error"}},"kind":"validation_error"}""");
        }

        var ids = query.TryGetValue("clientid", out var named) ? named.ToArray() : [];
        if (ids.Length > 1 && version == V53) ids = [];
        var (all, total) = Listed(state, ids);
        var (data, hasNext) = Slice(all, page, limit);
        return Json(new JsonObject
        {
            ["data"] = new JsonArray([.. data.Select(client => Pick(ClientV5(client), fields))]),
            ["meta"] = new JsonObject { ["count"] = total, ["limit"] = limit, ["hasnext"] = hasNext, ["page"] = page },
        });
    }

    private static FakeAnswer? Number(Dictionary<string, Microsoft.Extensions.Primitives.StringValues> query, string name, int least, int most, string expected, out int value)
    {
        value = name == "page" ? 1 : 100;
        if (!query.TryGetValue(name, out var text)) return null;
        var isNumber = int.TryParse(text, CultureInfo.InvariantCulture, out value);
        if (isNumber && value >= least && value <= most) return null;
        return BadRequest($$"""{"value":{{(isNumber ? text.ToString() : $"\"{text}\"")}},"reason":{"expected":"{{expected}}"},"path":"{{name}}","kind":"validation_error"}""");
    }

    private JsonObject NodeV5(KeyValuePair<string, bool> node) => !node.Value
        ? new() { ["node"] = node.Key, ["node_status"] = "stopped", ["role"] = "core" }
        : new()
        {
            ["cluster_sessions"] = Count(_ => true),
            ["connections"] = Count(client => client.Node == node.Key),
            ["edition"] = "Opensource",
            ["live_connections"] = Count(client => client.Node == node.Key && client.Connected),
            ["node"] = node.Key,
            ["node_status"] = "running",
            ["role"] = "core",
            ["uptime"] = 608792,
            ["version"] = version.Number,
        };

    private static JsonObject ClientV5(FakeClient client)
    {
        var json = Parse("""
            {"created_at":"","recv_pkt":2,"heap_size":2586,"mailbox_len":0,"inflight_cnt":0,"proto_ver":4,"send_msg.qos1":0,"client_attrs":{},"enable_authn":true,
            "connected_at":"","send_msg.dropped":0,"awaiting_rel_max":100,"username":null,"recv_oct":49,"ip_address":"","inflight_max":32,"connected":true,
            "peersni":null,"port":0,"recv_msg":0,"mountpoint":null,"subscriptions_max":"infinity","recv_cnt":2,"recv_msg.qos0":0,"mqueue_len":0,"node":"",
            "auth_expire_at":null,"send_msg.qos2":0,"send_msg.dropped.queue_full":0,"subscriptions_cnt":2,"awaiting_rel_cnt":0,"proto_name":"MQTT",
            "clean_start":true,"send_pkt":2,"recv_msg.dropped.await_pubrel_timeout":0,"recv_msg.dropped":0,"is_persistent":false,"durable":false,
            "send_msg.dropped.expired":0,"expiry_interval":0,"send_msg.qos0":0,"is_expired":false,"recv_msg.qos2":0,"clientid":"","send_oct":10,
            "reductions":9101,"mqueue_dropped":0,"listener":"tcp:default","send_msg":0,"mqueue_max":1000,"send_cnt":2,"send_msg.dropped.too_large":0,
            "keepalive":0,"is_bridge":false,"recv_msg.qos1":0}
            """);
        Fill(json, client, time => time.ToString("yyyy-MM-dd'T'HH:mm:ss.fff+00:00", CultureInfo.InvariantCulture), unset: null);
        (json["is_persistent"], json["mountpoint"]) = (client.ExpirySeconds > 0, null);
        return json;
    }

    private IEnumerable<JsonObject> Actions()
    {
        yield return new() { ["type"] = "mqtt", ["name"] = "mirror", ["enable"] = true };
        if (HasWebhook) yield return new() { ["type"] = version.HasActions ? "http" : "webhook", ["name"] = "webhooks", ["enable"] = true };
    }

    private FakeAnswer Metrics(string id)
    {
        var isWebhook = HasWebhook && (id == "http:webhooks" || (id == "webhook:webhooks" && version.HasBridges));
        if (!isWebhook && id != "mqtt:mirror") return Error(404, "NOT_FOUND", "Bridge lookup failed: bridge named '…' does not exist.");
        var (failed, dropped) = isWebhook ? (Failed, Dropped) : (1000, 1000);
        JsonObject Counters() => Parse($$"""
            {"dropped":{{dropped}},"dropped.expired":{{dropped}},"dropped.other":0,"dropped.queue_full":0,"dropped.resource_not_found":0,
            "dropped.resource_stopped":0,"failed":{{failed}},"inflight":0,"late_reply":0,"matched":50,"queuing":0,"rate":0,"rate_last5m":0,"rate_max":1,
            "received":0,"retried":7,"success":40}
            """);
        return Json(new JsonObject { ["metrics"] = Counters(), ["node_metrics"] = new JsonArray(new JsonObject { ["node"] = FirstNode, ["metrics"] = Counters() }) });
    }

    // ---- /api/v4 ----

    private FakeAnswer AnswerV4(FakeRequest request) => Segments(request.Path) switch
    {
        ["api", "v4", "nodes"] => Json(new JsonObject { ["data"] = new JsonArray([.. Nodes().Select(NodeV4)]), ["code"] = 0 }),
        ["api", "v4", "clients"] => ListV4(request),
        ["api", "v4", "clients", var id] => Json(new JsonObject { ["data"] = new JsonArray([.. Find(id) is { } client ? [ClientV4(client)] : Array.Empty<JsonNode>()]), ["code"] = 0 }),
        ["api", "v4", "rules"] => Json(new JsonObject { ["data"] = new JsonArray([.. Rules()]), ["code"] = 0 }),
        _ => FakeAnswer.Status(404, "Not found."),
    };

    private FakeAnswer ListV4(FakeRequest request)
    {
        var query = QueryHelpers.ParseQuery(request.Query);
        var (page, limit) = (1, 10_000);
        if ((query.TryGetValue("_page", out var pageText) && !int.TryParse(pageText, CultureInfo.InvariantCulture, out page))
            || (query.TryGetValue("_limit", out var limitText) && !int.TryParse(limitText, CultureInfo.InvariantCulture, out limit)) || limit < 0)
            return FakeAnswer.Status(500, "Internal Error");

        var ids = query.TryGetValue("clientid", out var named) ? named.ToArray() : [];
        var isFiltered = query.TryGetValue("conn_state", out var state) || ids.Length > 0;
        var (all, total) = Listed(state, ids);
        var (data, hasNext) = limit == 0 ? ([], true) : Slice(all, Math.Max(page, 1), limit);
        return Json(new JsonObject
        {
            ["meta"] = new JsonObject { ["page"] = page, ["limit"] = limit, ["hasnext"] = hasNext, ["count"] = isFiltered ? -1 : total },
            ["data"] = new JsonArray([.. data.Select(ClientV4)]),
            ["code"] = 0,
        });
    }

    private JsonObject NodeV4(KeyValuePair<string, bool> node) => !node.Value
        ? new() { ["node_status"] = "Stopped", ["name"] = node.Key }
        : new()
        {
            ["version"] = version.Number,
            ["uptime"] = "4 minutes, 42 seconds",
            ["node_status"] = "Running",
            ["node"] = node.Key,
            ["live_connections"] = Count(client => client.Node == node.Key && client.Connected),
            ["connections"] = Count(client => client.Node == node.Key),
        };

    private JsonObject ClientV4(FakeClient client)
    {
        var json = Parse("""
            {"send_msg.dropped.too_large":0,"username":"undefined","heap_size":610,"expiry_interval":0,"ip_address":"","send_msg.dropped.queue_full":0,
            "max_mqueue":1000,"send_msg.dropped":0,"connected_at":"","recv_msg.qos2":0,"created_at":"","subscriptions_cnt":2,"send_msg.qos2":0,
            "max_inflight":32,"recv_oct":49,"mqueue_dropped":0,"recv_msg.qos1":0,"max_subscriptions":0,"connected":true,"recv_msg.dropped":0,
            "mountpoint":"undefined","port":0,"recv_pkt":2,"proto_ver":4,"recv_cnt":2,"clean_start":true,"node":"","max_awaiting_rel":100,"clientid":"",
            "inflight":0,"send_pkt":2,"send_msg.qos0":0,"awaiting_rel":0,"mailbox_len":1,"mqueue_len":0,"recv_msg":0,"is_bridge":false,"zone":"external",
            "send_msg.dropped.expired":0,"send_msg.qos1":0,"send_oct":10,"reductions":4648,"recv_msg.qos0":0,"proto_name":"MQTT","send_cnt":2,"keepalive":0,
            "send_msg":0}
            """);
        Fill(json, client, time => TimeZoneInfo.ConvertTime(time, TimeZone).ToString("yyyy-MM-dd HH:mm:ss", CultureInfo.InvariantCulture), unset: "undefined");
        return json;
    }

    private IEnumerable<JsonObject> Rules()
    {
        JsonObject Metrics(string node, long failed) => Parse($$"""{"taken":50,"success":40,"failed":{{failed}},"node":"{{node}}"}""");
        JsonObject Action(string name, long failed)
        {
            var action = Parse($$"""{"params":{},"name":"{{name}}","metrics":[],"id":"{{name}}_1795302740000000000","fallbacks":[]}""");
            action["metrics"] = new JsonArray([.. Nodes().Where(node => node.Value).Select((node, index) => Metrics(node.Key, index == 0 ? failed : 0))]);
            return action;
        }

        var rule = Parse("""{"rawsql":"SELECT * FROM \"$events/client_connected\"","id":"rule:1","enabled":true,"actions":[],"description":""}""");
        rule["actions"] = new JsonArray([Action("republish", 1000), .. HasWebhook ? [Action("data_to_webserver", Failed)] : Array.Empty<JsonNode>()]);
        yield return rule;
    }

    // ---- publish and kick ----

    private Task<FakeAnswer> DoV5Async(FakeRequest request) => (request.Method, Segments(request.Path)) switch
    {
        ("POST", ["api", "v5", "publish"]) => PublishV5Async(Parse(request.Body)),
        ("POST", ["api", "v5", "clients", "kickout", "bulk"]) => Task.FromResult(KickAll(JsonNode.Parse(request.Body)!.AsArray())),
        ("DELETE", ["api", "v5", "clients", var id]) => Task.FromResult(Kick(id) ? FakeAnswer.Status(204) : Error(404, "CLIENTID_NOT_FOUND", "Client ID not found")),
        _ => Task.FromResult(FakeAnswer.Status(404, """{"code": "NOT_FOUND", "message": "Request Path Not Found"}""", "application/json")),
    };

    private async Task<FakeAnswer> PublishV5Async(JsonObject body)
    {
        string[] known = ["topic", "clientid", "payload", "payload_encoding", "qos", "retain", "properties"];
        string[] knownProperties = ["payload_format_indicator", "message_expiry_interval", "response_topic", "correlation_data", "user_properties", "content_type"];
        if (body.FirstOrDefault(member => !known.Contains(member.Key)).Key is { } unknown)
            return BadRequest($$"""{"unmatched":"clientid,payload_encoding,...","unknown":"{{unknown}}","reason":"unknown_fields","path":"root","kind":"validation_error"}""");
        if ((body["properties"] as JsonObject)?.FirstOrDefault(member => !knownProperties.Contains(member.Key)).Key is { } unknownProperty)
            return BadRequest($$"""{"unmatched":"content_type,correlation_data,...","unknown":"{{unknownProperty}}","reason":"unknown_fields","path":"root.properties","kind":"validation_error"}""");
        if (body["payload"] is null) return BadRequest("""{"reason":"required_field","path":"root.payload","kind":"validation_error"}""");
        if (IsBadTopic(body)) return FakeAnswer.Json("""{"message":"topic_name_invalid","reason_code":144}""", 400);
        if (((string)body["payload"]!).Length > 1024 * 1024) return FakeAnswer.Json("""{"message":"packet_too_large","reason_code":151}""", 400);
        if (Payload(body, "payload_encoding") is not { } payload) return FakeAnswer.Json("""{"message":"{decode_base64_payload_failed,<<\"***\">>}","reason_code":131}""", 400);

        var message = await PublishAsync(body, "http_api", payload);
        return message.HasSubscriber ? Json(new JsonObject { ["id"] = message.Id }) : FakeAnswer.Json("""{"message":"no_matching_subscribers","reason_code":16}""", 202);
    }

    private async Task<FakeAnswer> DoV4Async(FakeRequest request)
    {
        switch (request.Method, Segments(request.Path))
        {
            case ("POST", ["api", "v4", "mqtt", "publish"]):
                var body = Parse(request.Body);
                if (IsBadTopic(body)) return FakeAnswer.Json("""{"message":"bad_topic","code":115}""");
                if (body["qos"] is { } qos && (qos.GetValueKind() is not JsonValueKind.Number || (int)qos is < 0 or > 2)) return FakeAnswer.Status(500, "Internal Error");
                if (Payload(body, "encoding") is not { } payload) return FakeAnswer.Json("""{"message":"bad_params","code":108}""");
                var message = await PublishAsync(body, (string?)body["clientid"] ?? "undefined", payload);
                return (string?)body["return"] == "msgid" && !TellsNoIds ? FakeAnswer.Json($$$"""{"data":{"msgid":"{{{message.Id}}}"},"code":0}""") : FakeAnswer.Json("""{"code":0}""");
            case ("DELETE", ["api", "v4", "clients", var id]):
                Kick(id); // says the same of those that it does not have
                return FakeAnswer.Json("""{"code":0}""");
            default:
                return FakeAnswer.Status(404, "Not found.");
        }
    }

    private static bool IsBadTopic(JsonObject body) => (string?)body["topic"] is not { Length: > 0 } topic || topic.AsSpan().ContainsAny('+', '#');

    private static byte[]? Payload(JsonObject body, string encoding)
    {
        var text = (string?)body["payload"] ?? "";
        if ((string?)body[encoding] != "base64") return Encoding.UTF8.GetBytes(text);
        var bytes = new byte[text.Length];
        return Convert.TryFromBase64String(text, bytes, out var length) ? bytes[..length] : null;
    }

    private async Task<FakePublish> PublishAsync(JsonObject body, string publisher, byte[] payload)
    {
        var at = DateTimeOffset.UtcNow + ClockOffset;
        var topic = (string)body["topic"]!;
        var message = new FakePublish(
            $"{(ulong)((at - DateTimeOffset.UnixEpoch).Ticks / 10):X16}F43500000317{++messages:X4}", publisher, topic, payload, (int?)body["qos"] ?? 0,
            (bool?)body["retain"] ?? false, body["properties"] as JsonObject, at, SubscribedTopics?.Contains(topic) ?? true);
        published.Enqueue(message);
        if (Publishing is { } reports) await reports(message);
        return message;
    }

    private FakeAnswer KickAll(JsonArray ids)
    {
        foreach (var id in ids) Kick((string)id!);
        return FakeAnswer.Status(204);
    }

    private bool Kick(string id)
    {
        lock (gate)
        {
            if (clients.RemoveAll(client => client.ClientId == id) == 0) return false;
            kicked.Enqueue(id);
            return true;
        }
    }

    // ---- both ----

    private static void Fill(JsonObject json, FakeClient client, Func<DateTimeOffset, string> write, string? unset)
    {
        json["clientid"] = client.ClientId;
        json["username"] = client.Username ?? unset;
        json["node"] = client.Node;
        json["ip_address"] = client.Ip;
        json["port"] = client.Port;
        json["proto_ver"] = client.ProtocolVersion;
        json["keepalive"] = client.KeepAliveSeconds;
        json["clean_start"] = client.CleanStart;
        json["expiry_interval"] = client.ExpirySeconds;
        json["created_at"] = write(client.ConnectedAt);
        json["connected_at"] = write(client.ConnectedAt);
        json["connected"] = client.Connected;
        if (client.DisconnectedAt is { } ended) json["disconnected_at"] = write(ended);
    }

    private FakeClient? Find(string id)
    {
        lock (gate) return LookupsFindNobody ? null : clients.Find(client => client.ClientId == id);
    }

    private (List<FakeClient> Clients, int Total) Listed(string? state, string?[] ids)
    {
        lock (gate)
        {
            var chosen = clients.Where(client =>
                (state is null || (state is "connected" or "disconnected" && client.Connected == (state is "connected")))
                && (ids.Length == 0 || ids.Contains(client.ClientId))).ToList();
            var shown = chosen.Where(client => !leftOut.Contains(client.ClientId)).SelectMany(client => doubled.Contains(client.ClientId) ? [client, client] : new[] { client });
            return ([.. shown.Take(ListOnly ?? int.MaxValue)], chosen.Count);
        }
    }

    private (List<FakeClient> Data, bool HasNext) Slice(List<FakeClient> all, int page, int limit)
    {
        var from = (page - 1L) * limit;
        return ([.. all.Skip((int)Math.Min(from, int.MaxValue)).Take(limit)], PromisesMore || from + limit < all.Count);
    }

    private KeyValuePair<string, bool>[] Nodes()
    {
        lock (gate) return [.. nodes];
    }

    private int Count(Func<FakeClient, bool> which)
    {
        lock (gate) return clients.Count(which);
    }

    /// <summary>As Cowboy reads a path: split, then decoded once, then "." and ".." resolved; what is empty at the end is nothing.</summary>
    private static string[] Segments(string path)
    {
        var segments = new List<string>();
        foreach (var segment in path.Split('/', StringSplitOptions.RemoveEmptyEntries).Select(Uri.UnescapeDataString))
        {
            if (segment == "..") segments.RemoveAt(segments.Count - 1);
            else if (segment != ".") segments.Add(segment);
        }
        return [.. segments];
    }

    private static JsonObject Pick(JsonObject client, string[]? fields)
    {
        if (fields is null) return client;
        foreach (var name in client.Select(member => member.Key).Except(fields).ToList()) client.Remove(name);
        return client;
    }

    private static JsonObject Parse(string json) => JsonNode.Parse(json)!.AsObject();

    private static FakeAnswer Json(JsonNode body) => FakeAnswer.Status(200, body.ToJsonString(AsEmqx), "application/json");

    private static FakeAnswer Error(int status, string code, string message) =>
        FakeAnswer.Status(status, new JsonObject { ["code"] = code, ["message"] = message }.ToJsonString(AsEmqx), "application/json");

    private static FakeAnswer BadRequest(string message) => Error(400, "BAD_REQUEST", message);
}

/// <summary>What differs between the versions.</summary>
public sealed record FakeEmqxVersion(string Number)
{
    private Version Parsed => Version.Parse(Number);

    internal bool IsV4 => Parsed.Major == 4;
    internal bool HasActions => Parsed >= new Version(5, 3);
    internal bool HasBridges => Parsed.Major == 5;
    internal bool KnowsFields => Parsed >= new Version(5, 6);
}

public sealed class FakeClient(string clientId, string node, DateTimeOffset connectedAt, int port)
{
    public string ClientId { get; } = clientId;
    public string Node { get; } = node;
    public DateTimeOffset ConnectedAt { get; } = connectedAt;
    public string Ip { get; set; } = "127.0.0.1";
    public int Port { get; } = port;
    public string? Username { get; set; }
    public int ProtocolVersion { get; set; } = 4;
    public int KeepAliveSeconds { get; set; } = 60;
    public bool CleanStart { get; set; } = true;
    public long ExpirySeconds { get; set; }
    public DateTimeOffset? DisconnectedAt { get; set; }
    public bool Connected => DisconnectedAt is null;
}

/// <param name="Path">As it was sent, percent-encoded.</param>
/// <param name="Query">With its question mark; empty if there is none.</param>
public sealed record FakeRequest(string Method, string Path, string Query, string Authorization)
{
    public string Target => Path + Query;

    public string Body { get; init; } = "";
}

/// <summary>A message that the API took.</summary>
/// <param name="Id">As 4.3 and later print it: its first 16 digits are the time in µs.</param>
/// <param name="HasSubscriber">Whether somebody was subscribed to its topic.</param>
public sealed record FakePublish(
    string Id, string Publisher, string Topic, byte[] Payload, int Qos, bool Retain, JsonObject? Properties, DateTimeOffset At, bool HasSubscriber)
{
    /// <summary>What a broker's webhook tells of it: as the 4.x plugin does, without id, or as rules do.</summary>
    /// <param name="what">`publish`, `delivered`, `acked`, `dropped`; `delivery.dropped` for one receiver.</param>
    /// <param name="receiver">Whose report it is.</param>
    public string Report(string what, string? receiver = null, bool asPlugin = false, string? reason = null, int? qos = null)
    {
        var (text, ms) = (Encoding.UTF8.GetString(Payload), At.ToUnixTimeMilliseconds());
        var report = asPlugin
            ? new JsonObject
            {
                ["action"] = what == "delivery.dropped" ? "delivery_dropped" : $"message_{what}",
                ["ts"] = ms,
                ["topic"] = Topic,
                ["payload"] = text,
                ["qos"] = qos ?? Qos,
                ["retain"] = Retain,
                ["from_client_id"] = Publisher,
                ["from_username"] = null,
                ["node"] = FakeEmqx.FirstNode,
            }
            : new JsonObject
            {
                ["event"] = what == "delivery.dropped" ? what : $"message.{what}",
                ["id"] = Id,
                ["topic"] = Topic,
                ["payload"] = text,
                ["qos"] = qos ?? Qos,
                ["flags"] = new JsonObject { ["retain"] = Retain },
                ["publish_received_at"] = ms,
                ["timestamp"] = ms + 2,
                ["peerhost"] = receiver is null ? "undefined" : "127.0.0.1",
                ["node"] = FakeEmqx.FirstNode,
            };
        if (receiver is not null) report["clientid"] = receiver;
        if (!asPlugin) (report[receiver is null ? "clientid" : "from_clientid"], report[receiver is null ? "username" : "from_username"]) = (Publisher, "undefined");
        if (reason is not null) report["reason"] = reason;
        return report.ToJsonString();
    }
}

/// <summary>An answer other than the usual one.</summary>
public sealed record FakeAnswer
{
    internal int Code { get; private init; } = 200;
    internal string Body { get; private init; } = "";
    internal string ContentType { get; private init; } = "text/plain";
    internal string? Date { get; private init; }
    internal string? Location { get; private init; }
    internal TimeSpan Delay { get; init; }
    internal bool IsCut { get; init; }
    internal bool IsShort { get; init; }
    internal bool IsDropped { get; private init; }

    /// <summary>The usual answer, but damaged or late.</summary>
    internal bool GoesOn { get; private init; }

    public static FakeAnswer Status(int status, string body = "", string contentType = "text/plain", string? date = null) =>
        new() { Code = status, Body = body, ContentType = contentType, Date = date };

    public static FakeAnswer Json(string body, int status = 200) => Status(status, body, "application/json");

    public static FakeAnswer Redirect(string location) => new() { Code = 302, Location = location };

    /// <summary>Half the body, then the connection breaks.</summary>
    public static FakeAnswer Cut { get; } = new() { GoesOn = true, IsCut = true };

    /// <summary>Half the body, as if it were all.</summary>
    public static FakeAnswer Half { get; } = new() { GoesOn = true, IsShort = true };

    /// <summary>The connection is closed without a word.</summary>
    public static FakeAnswer Drop { get; } = new() { IsDropped = true };

    /// <summary>The usual answer, late.</summary>
    public static FakeAnswer Late(TimeSpan delay) => new() { GoesOn = true, Delay = delay };
}
