using System.Net.Http.Json;
using System.Text;

namespace WebhookService.Api.Tests.Devices;

/// <summary>How tests about devices talk to the service.</summary>
internal static class DeviceRequests
{
    public static readonly DateTimeOffset Connected = DateTimeOffset.FromUnixTimeMilliseconds(DateTimeOffset.UtcNow.AddMinutes(-5).ToUnixTimeMilliseconds());

    /// <summary>Tells the service that these clients connected.</summary>
    public static async Task ConnectAsync(this ApiHost api, params string[] clientIds)
    {
        var events = clientIds.Select(id => new
        {
            @event = "client.connected",
            clientid = id,
            username = "u",
            node = "emqx@127.0.0.1",
            peername = "127.0.0.1:61003",
            proto_name = "MQTT",
            proto_ver = 5,
            keepalive = 30,
            clean_start = true,
            expiry_interval = 0,
            connected_at = Connected.ToUnixTimeMilliseconds(),
            timestamp = Connected.ToUnixTimeMilliseconds(),
        });
        var answer = await api.Ingest.PostAsJsonAsync("/webhook/emqx", events);
        Assert.True(answer.IsSuccessStatusCode, await answer.Content.ReadAsStringAsync());
    }

    /// <summary>A request whose path is sent exactly as written: no dot segment is taken away, nothing is decoded.</summary>
    public static HttpRequestMessage Raw(this ApiHost api, HttpMethod method, string path) =>
        new(method, new Uri(api.Address.ToString().TrimEnd('/') + path, new UriCreationOptions { DangerousDisablePathAndQueryCanonicalization = true }));

    public static Task<HttpResponseMessage> PatchAsync(this ApiHost api, string clientId, string json, string? ifMatch, string type = "application/merge-patch+json")
    {
        var request = new HttpRequestMessage(HttpMethod.Patch, $"/api/v1/devices/{clientId}") { Content = new StringContent(json, Encoding.UTF8, type) };
        if (ifMatch is not null) request.Headers.TryAddWithoutValidation("If-Match", ifMatch);
        return api.Manage.SendAsync(request);
    }
}
