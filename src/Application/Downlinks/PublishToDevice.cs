using System.Text;
using System.Text.Json;
using MediatR;
using Microsoft.Extensions.Options;
using WebhookService.Application.Brokers;
using WebhookService.Application.Common;
using WebhookService.Domain;
using WebhookService.Domain.Downlinks;

namespace WebhookService.Application.Downlinks;

/// <summary>
/// Publishes a message to a device through its broker, at most once: it is written down before it is sent, and never sent again where the broker may have it.
/// Answered when the broker has answered; what becomes of it then is followed, and told by the events `downlink.*`. Once begun it is not cancelled.
/// </summary>
/// <exception cref="DomainException">Topic, QoS or a time is none that MQTT or we take.</exception>
/// <exception cref="NoBrokerException">There is no broker to send it through.</exception>
/// <exception cref="BrokerException">Several brokers may have the device, and one of them could not be asked.</exception>
/// <exception cref="NotPublishedException">It surely was not published. Under the same key it may be tried again.</exception>
/// <exception cref="KeyTakenException">Under the same key something else was published.</exception>
public sealed record PublishToDevice(ClientId Client, ReadOnlyMemory<byte> Payload) : IRequest<PublishedToDevice>
{
    /// <summary>Where the device listens; `{clientId}` stands for its id. Null for the topic of <see cref="DownlinkOptions"/>.</summary>
    public string? Topic { get; init; }

    /// <summary>1 unless said otherwise: then the device acknowledges it.</summary>
    public int Qos { get; init; } = 1;
    public bool Retain { get; init; }

    /// <summary>As <see cref="DownlinkOrder.Expiry"/>.</summary>
    public TimeSpan? Expiry { get; init; }

    /// <summary>As <see cref="DownlinkOrder.Timeout"/>; null for the default.</summary>
    public TimeSpan? Timeout { get; init; }
    public DownlinkProperties? Properties { get; init; }

    /// <summary>
    /// What was published under a key is not published under it again. Unlike that of any other: in a handler, its name with <c>HandlingContext.Key</c>. At most 255 characters.
    /// </summary>
    public string? Key { get; init; }

    public static PublishToDevice Text(ClientId client, string payload) => new(client, Encoding.UTF8.GetBytes(payload));

    /// <param name="client">Whom to.</param>
    /// <param name="payload">What is written as JSON, with names in camelCase.</param>
    public static PublishToDevice Json<T>(ClientId client, T payload) => new(client, JsonSerializer.SerializeToUtf8Bytes(payload, JsonSerializerOptions.Web));
}

/// <param name="Id">Of the downlink: <see cref="GetDownlink"/> tells what became of it.</param>
/// <param name="Status">`uncertain` where the broker may have it or not: look before you do it again under another key.</param>
/// <param name="IsRepetition">The key was used before, and nothing was published now.</param>
/// <param name="Problem">Why it is uncertain.</param>
public sealed record PublishedToDevice(long Id, DownlinkStatus Status, bool IsRepetition, string? Problem);

/// <summary>The message surely was not published. The message of the exception is for people and says what to do.</summary>
public sealed class NotPublishedException(long downlink, DownlinkStatus status, string problem, BrokerFault fault) : Exception(problem)
{
    public long Downlink { get; } = downlink;

    /// <summary><see cref="DownlinkStatus.Failed"/> or <see cref="DownlinkStatus.Refused"/>.</summary>
    public DownlinkStatus Status { get; } = status;
    public BrokerFault Fault { get; } = fault;
}

/// <summary>Under this key another message was published.</summary>
public sealed class KeyTakenException(string key, long downlink)
    : Exception($"The key '{key}' stands for another message (downlink {downlink}): a key may only come again with the same client, topic, payload and options.");

internal sealed class PublishToDeviceHandler(IMediator mediator, BrokerChoice choice, IOptions<DownlinkOptions> options, TimeProvider time)
    : IRequestHandler<PublishToDevice, PublishedToDevice>
{
    /// <summary>So often the broker's answer is tried to be written down while the store takes nothing.</summary>
    private const int Tries = 5;

    public async Task<PublishedToDevice> Handle(PublishToDevice request, CancellationToken cancellationToken)
    {
        var topic = string.IsNullOrEmpty(request.Topic) ? options.Value.Topic : request.Topic;
        if (topic.Length == 0)
            throw new DomainException($"'topic' is missing: a message is published to a topic. Name the one that the device listens to, or set {DownlinkOptions.Section}:Topic.", "topic");
        if (request.Key is { Length: 0 or > 255 }) throw new DomainException("'Idempotency-Key' has 1 to 255 characters.", "Idempotency-Key");
        var order = new DownlinkOrder(
            request.Client, topic, request.Payload, request.Qos, request.Retain, request.Expiry, request.Timeout ?? options.Value.Timeout, request.Properties);
        var broker = await choice.OfAsync(request.Client, cancellationToken);

        var accepted = await mediator.Send(new AcceptDownlink(order, broker.Name, request.Key), cancellationToken);
        if (!accepted.IsToBeSent) return new(accepted.Id, accepted.Status, IsRepetition: true, accepted.Problem);

        var (answer, fault) = await AskAsync(broker, order);
        if (await WriteAsync(new RecordPublishAnswer(accepted.Id, answer)) is not { } status)
            return new(accepted.Id, DownlinkStatus.Uncertain, IsRepetition: false, "The broker's answer could not be written down: the store takes nothing at the moment.");
        return answer.Result is PublishResult.Refused or PublishResult.NotSent
            ? throw new NotPublishedException(accepted.Id, status, answer.Problem!, fault)
            : new(accepted.Id, status, IsRepetition: false, answer.Problem);
    }

    // From here on nobody may break it off: what is under way at the broker comes to an end, and is written down.
    private static async Task<(PublishAnswer Answer, BrokerFault Fault)> AskAsync(IBroker broker, DownlinkOrder order)
    {
        try
        {
            return (await broker.PublishAsync(order, CancellationToken.None), BrokerFault.Refused);
        }
        catch (BrokerException failed)
        {
            return (new(
                failed.Fault switch
                {
                    BrokerFault.NotReached => PublishResult.NotSent,
                    BrokerFault.Credentials or BrokerFault.Refused => PublishResult.Refused,
                    _ => PublishResult.Unknown,
                },
                Problem: failed.Message), failed.Fault);
        }
    }

    /// <returns>Null if the store took nothing: it stays without an answer, and time makes it uncertain.</returns>
    private async Task<DownlinkStatus?> WriteAsync(RecordPublishAnswer answer)
    {
        for (var tries = 1; tries <= Tries; tries++)
        {
            try
            {
                return await mediator.Send(answer, CancellationToken.None);
            }
            catch (OverloadedException overloaded)
            {
                await Task.Delay(overloaded.RetryAfter, time);
            }
        }
        return null;
    }
}
