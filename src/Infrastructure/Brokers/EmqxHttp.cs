using System.Net;
using System.Net.Http.Headers;
using System.Security.Authentication;
using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;
using WebhookService.Application.Brokers;

namespace WebhookService.Infrastructure.Brokers;

/// <summary>
/// Puts questions to one broker's management API. Nothing is repeated here: who sweeps asks again. Every failure is a
/// <see cref="BrokerException"/> that names broker and path, and neither credentials nor query.
/// </summary>
internal sealed class EmqxHttp : IDisposable
{
    /// <summary>The largest answer that is taken: 10,000 clients with all their fields have 12 MB.</summary>
    private const int MaxAnswerBytes = 64 * 1024 * 1024;

    private const int MaxShownPath = 200;

    private readonly HttpClient client;
    private readonly string root;
    private readonly BrokerOptions options;
    private readonly TimeProvider time;

    public EmqxHttp(BrokerOptions options, TimeProvider time)
    {
        (this.options, this.time, root) = (options, time, options.Root);
        client = new HttpClient(new SocketsHttpHandler
        {
            PooledConnectionLifetime = TimeSpan.FromMinutes(2), // so that a name that moves is looked up again
            ConnectTimeout = options.Timeout,
            AllowAutoRedirect = false, // credentials go where they were meant to, nowhere else
            UseCookies = false,
        })
        {
            Timeout = options.Timeout,
            MaxResponseContentBufferSize = MaxAnswerBytes,
        };
        client.DefaultRequestHeaders.Accept.Add(new("application/json"));
        client.DefaultRequestHeaders.Authorization = string.IsNullOrEmpty(options.Token)
            ? new("Basic", Convert.ToBase64String(Encoding.UTF8.GetBytes($"{options.ApiKey}:{options.ApiSecret}")))
            : new AuthenticationHeaderValue("Bearer", options.Token);
    }

    /// <summary>Asks once.</summary>
    /// <param name="path">From <c>/api</c> on, already percent-encoded once.</param>
    /// <returns>What was answered, whatever its status; only 200 carries JSON.</returns>
    /// <exception cref="BrokerException">No whole answer came, the credentials are refused, or 200 came without JSON.</exception>
    public Task<EmqxAnswer> GetAsync(string path, CancellationToken cancellation, string query = "") => SendAsync(HttpMethod.Get, path, query, body: null, cancellation);

    /// <summary>Tells the broker to do something, once.</summary>
    /// <inheritdoc cref="GetAsync"/>
    public Task<EmqxAnswer> PostAsync(string path, JsonNode body, CancellationToken cancellation) =>
        SendAsync(HttpMethod.Post, path, query: "", new WatchedContent(JsonSerializer.SerializeToUtf8Bytes(body)), cancellation);

    /// <inheritdoc cref="PostAsync"/>
    public Task<EmqxAnswer> DeleteAsync(string path, CancellationToken cancellation) => SendAsync(HttpMethod.Delete, path, query: "", body: null, cancellation);

    public BrokerException Failure(string path, string what, string toDo, Exception? cause = null, BrokerFault fault = BrokerFault.Unclear, string method = "GET") =>
        new($"Broker '{options.Name}': {method} {(path.Length > MaxShownPath ? path[..MaxShownPath] + "…" : path)} at {new Uri(options.Url).Authority} {what}. {toDo}.", cause) { Fault = fault };

    private async Task<EmqxAnswer> SendAsync(HttpMethod method, string path, string query, WatchedContent? body, CancellationToken cancellation)
    {
        using var request = new HttpRequestMessage(method, new Uri(root + path + query)) { Content = body };
        var started = time.GetUtcNow();
        try
        {
            using var response = await client.SendAsync(request, cancellation);
            var bytes = await response.Content.ReadAsByteArrayAsync(cancellation);
            var middle = started + ((time.GetUtcNow() - started) / 2);

            if (Refusal(response, bytes) is { } refusal) throw Failure(path, refusal.What, refusal.ToDo, cause: null, BrokerFault.Credentials, method.Method);
            var answer = new EmqxAnswer(this, method.Method, path, response.StatusCode, bytes);
            // The header's second has begun, but not when; half of it is the best guess.
            if (response.Headers.Date is { } date) answer.ClockOffset = date.AddSeconds(0.5) - middle;
            return answer;
        }
        catch (OperationCanceledException timeout) when (!cancellation.IsCancellationRequested)
        {
            throw Failure(path, $"was not answered whole within {options.Timeout.TotalSeconds:0.#} s",
                $"If the broker is well, raise {options.Path}:Timeout or lower {options.Path}:PageSize", timeout, Reached(body), method.Method);
        }
        catch (HttpRequestException failure)
        {
            throw Failure(path, What(failure), ToDo(failure), failure, Reached(body), method.Method);
        }
        catch (JsonException broken)
        {
            throw Failure(path, "was answered with half a JSON text, or none",
                $"If this stays so, check that {options.Path}:Url is the address of EMQX's management API and look into the broker's log", broken, method: method.Method);
        }
    }

    /// <summary>A request whose body never left this machine is none.</summary>
    private static BrokerFault Reached(WatchedContent? body) => body is { HasBegun: false } ? BrokerFault.NotReached : BrokerFault.Unclear;

    public void Dispose() => client.Dispose();

    private (string What, string ToDo)? Refusal(HttpResponseMessage response, byte[] body)
    {
        var credentials = string.IsNullOrEmpty(options.Token) ? $"{options.Path}:ApiKey and {options.Path}:ApiSecret" : $"{options.Path}:Token";
        return response.StatusCode switch
        {
            HttpStatusCode.Unauthorized => ($"was answered 401{EmqxAnswer.CodeOf(body)}: the broker does not accept the credentials",
                $"Check {credentials}: whether they are right, enabled and not expired"),
            HttpStatusCode.Forbidden => ($"was answered 403{EmqxAnswer.CodeOf(body)}: the credentials do not allow this",
                $"Check {credentials}: the key's role must be viewer or administrator to be asked, publisher or administrator to publish, and administrator to kick"),
            // EMQX 5 and 6 answer so where they cannot read the Authorization header.
            HttpStatusCode.InternalServerError when body.Length == 0 => ("was answered 500 without a word, as EMQX does when it cannot read the credentials",
                $"Check {credentials}; if they are right, look into the broker's log"),
            >= HttpStatusCode.MultipleChoices and < HttpStatusCode.BadRequest => ($"was answered {(int)response.StatusCode}, a redirection, which is not followed",
                $"Put the address that it leads to into {options.Path}:Url"),
            _ => null,
        };
    }

    private static string What(HttpRequestException failure) => failure.HttpRequestError switch
    {
        HttpRequestError.NameResolutionError or HttpRequestError.ConnectionError or HttpRequestError.ProxyTunnelError => $"could not be sent ({failure.Message})",
        HttpRequestError.SecureConnectionError =>
            $"could not be sent, for want of a trusted TLS connection ({(failure.InnerException as AuthenticationException ?? (Exception)failure).Message})",
        HttpRequestError.ConfigurationLimitExceeded => $"was answered with more than {MaxAnswerBytes / 1024 / 1024} MB",
        _ => $"got no whole answer: the connection broke ({failure.Message})",
    };

    private string ToDo(HttpRequestException failure) => failure.HttpRequestError switch
    {
        HttpRequestError.NameResolutionError or HttpRequestError.ConnectionError or HttpRequestError.ProxyTunnelError =>
            $"Check {options.Path}:Url, and that the management API listens there (usually port 18083; 8081 in 4.x)",
        HttpRequestError.SecureConnectionError => $"Check {options.Path}:Url, and that this machine trusts the broker's certificate",
        HttpRequestError.ConfigurationLimitExceeded => $"Lower {options.Path}:PageSize",
        _ => "If this stays so, look into the broker's log",
    };
}

/// <summary>An answer of the management API: a status, and its JSON where the status is 200.</summary>
internal sealed class EmqxAnswer : IDisposable
{
    private const int MaxShownText = 200;

    private readonly EmqxHttp http;
    private readonly string method;
    private readonly string path;
    private readonly byte[] body;
    private readonly JsonDocument? json;

    /// <exception cref="JsonException">The status is 200, the body no JSON.</exception>
    public EmqxAnswer(EmqxHttp http, string method, string path, HttpStatusCode status, byte[] body)
    {
        (this.http, this.method, this.path, Status, this.body) = (http, method, path, status, body);
        if (status is HttpStatusCode.OK) json = JsonDocument.Parse(body);
    }

    public HttpStatusCode Status { get; }

    /// <summary>How far the broker's clock was ahead of ours; zero where the answer had no date.</summary>
    public TimeSpan ClockOffset { get; set; }

    /// <exception cref="BrokerException">The status is not 200.</exception>
    public JsonElement Json => json?.RootElement ?? throw Unexpected($"was answered {(int)Status}{Said}");

    /// <summary>What it says of an error, in parentheses.</summary>
    public string Said => CodeOf(body);

    public bool Says(string text) => Encoding.UTF8.GetString(body).Contains(text, StringComparison.Ordinal);

    public BrokerException Unexpected(string what, BrokerFault fault = BrokerFault.Unclear) =>
        http.Failure(path, what, "If this stays so, look into the broker's log", cause: null, fault, method);

    public void Dispose() => json?.Dispose();

    /// <summary>What an error's body says, in parentheses: EMQX writes <c>{"code", "message"}</c>, <c>{"reason_code", "message"}</c>, or a plain word.</summary>
    public static string CodeOf(byte[] body)
    {
        string text;
        try
        {
            using var error = JsonDocument.Parse(body);
            text = $"{error.RootElement.Text("code") ?? error.RootElement.Text("reason_code")} {error.RootElement.Text("message")}";
        }
        catch (JsonException)
        {
            text = Encoding.UTF8.GetString(body.AsSpan(0, Math.Min(body.Length, 4 * MaxShownText)));
        }
        text = string.Concat(text.Select(character => char.IsControl(character) ? ' ' : character)).Trim();
        return text.Length == 0 ? "" : $" ({(text.Length > MaxShownText ? text[..MaxShownText] + "…" : text)})";
    }
}

/// <summary>
/// A JSON body that knows whether some of it may have left this machine. .NET's client sends a request again by itself only where none of its body has, so that
/// nothing is done twice.
/// </summary>
internal sealed class WatchedContent : HttpContent
{
    private readonly byte[] json;

    public WatchedContent(byte[] json)
    {
        this.json = json;
        Headers.ContentType = new("application/json");
    }

    /// <summary>Whether some of it may have left.</summary>
    public bool HasBegun { get; private set; }

    protected override Task SerializeToStreamAsync(Stream stream, TransportContext? context) => SerializeToStreamAsync(stream, context, CancellationToken.None);

    protected override async Task SerializeToStreamAsync(Stream stream, TransportContext? context, CancellationToken cancellationToken)
    {
        HasBegun = true;
        await stream.WriteAsync(json, cancellationToken);
    }

    protected override bool TryComputeLength(out long length)
    {
        length = json.Length;
        return true;
    }
}
