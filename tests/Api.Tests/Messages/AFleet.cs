using MediatR;
using Microsoft.Extensions.DependencyInjection;
using WebhookService.Application.Messages;
using WebhookService.Domain;
using WebhookService.Domain.Messages;

namespace WebhookService.Api.Tests.Messages;

/// <summary>Messages told to a running service as its webhooks would.</summary>
internal static class AFleet
{
    public static readonly DateTimeOffset T = DateTimeOffset.FromUnixTimeMilliseconds(1_760_000_000_000);

    public static MessageContent Content(string publisher, string topic, string payload, int id, int qos = 0) => new(
        new MessageId((UInt128)id), new ClientId(publisher), true, "user", topic, qos, false, T.AddSeconds(id), Payload.OfBytes(System.Text.Encoding.UTF8.GetBytes(payload)), null);

    public static Task PublishAsync(this ApiHost api, MessageContent content) =>
        api.SendAsync(new RecordMessagePublished(content, null, true, content.PublishedAt.AddMilliseconds(5)));

    public static Task<TResult> SendAsync<TResult>(this ApiHost api, IRequest<TResult> request) => api.Services.GetRequiredService<IMediator>().Send(request);

    /// <summary>A GET with the id percent-encoded by hand, so that nothing on the way makes it prettier.</summary>
    public static Task<HttpResponseMessage> GetAsync(this ApiHost api, string path, string? accept = null)
    {
        var request = new HttpRequestMessage(HttpMethod.Get, new Uri(api.Address + path.TrimStart('/'), new UriCreationOptions { DangerousDisablePathAndQueryCanonicalization = true }));
        if (accept is not null) request.Headers.Accept.ParseAdd(accept);
        return api.Read.SendAsync(request);
    }
}
