using System.Net;
using WebhookService.Application.Consumers;
using WebhookService.Application.Notices;
using WebhookService.Infrastructure.Outbound;

namespace WebhookService.Infrastructure.Notices;

/// <summary>Posts messages, or hands them to the mail server.</summary>
internal sealed class NoticeSender(OutboundHttp http, TimeProvider time) : INoticeSender
{
    public Task SendAsync(NoticeTarget target, NoticeMessage message, CancellationToken cancellation) =>
        target.Kind is TargetKind.Email ? NoticeMail.SendAsync(target, message, cancellation) : PostAsync(target, message, cancellation);

    private async Task PostAsync(NoticeTarget target, NoticeMessage message, CancellationToken cancellation)
    {
        using var request = PostFormats.Request(target, message, time.GetUtcNow());
        OutboundAnswer answer;
        try
        {
            answer = await http.SendAsync(request, target.AllowPrivate, cancellation);
        }
        catch (HttpRequestException failure) when (failure.InnerException is AddressRefusedException refused)
        {
            throw new GiveUpException($"{target.Name} was not posted to, for {refused.Message}. If that is meant, set {target.Path}:AllowPrivate to true.");
        }
        catch (Exception failure) when (failure is HttpRequestException or IOException)
        {
            throw new NoticeNotSentException($"{target.Name} could not be posted to: {failure.Message}", failure);
        }
        Judge(target, answer);
    }

    private void Judge(NoticeTarget target, OutboundAnswer answer)
    {
        var said = $"{target.Name} answered {(int)answer.Status}{(PostFormats.Head(answer.Body.Span) is { Length: > 0 } head ? $" ({head})" : "")}";
        switch (answer.Status)
        {
            case >= HttpStatusCode.OK and < HttpStatusCode.MultipleChoices:
                if (PostFormats.Refusal(target.Format, answer.Body.Span) is { } refusal) throw new NoticeNotSentException($"{target.Name} answered {(int)answer.Status} and refused: {refusal}");
                return;
            case >= HttpStatusCode.MultipleChoices and < HttpStatusCode.BadRequest:
                throw new GiveUpException($"{said}, a redirection, which is not followed. Put the address that it leads to into {target.Path}:Url.");
            case HttpStatusCode.TooManyRequests or HttpStatusCode.ServiceUnavailable when Wait(answer) is { } wait:
                throw new TryAgainException(said, wait);
            case >= HttpStatusCode.BadRequest and < HttpStatusCode.InternalServerError
                and not (HttpStatusCode.RequestTimeout or (HttpStatusCode)425 or HttpStatusCode.TooManyRequests):
                throw new GiveUpException(said);
            default:
                throw new NoticeNotSentException(said);
        }
    }

    private TimeSpan? Wait(OutboundAnswer answer) => answer.RetryAfter ?? (answer.RetryAt is { } at ? at - time.GetUtcNow() : null);
}
