using Microsoft.Extensions.Options;
using WebhookService.Application.Notices;
using WebhookService.Infrastructure.Outbound;

namespace WebhookService.Infrastructure.Notices;

/// <summary>Finds the mistakes in targets that only who sends can see.</summary>
internal sealed class NoticeTargetsCheck : IValidateOptions<NoticesOptions>
{
    public ValidateOptionsResult Validate(string? name, NoticesOptions options)
    {
        var mistakes = options.Targets.SelectMany(MistakesOf).ToList();
        return mistakes.Count == 0 ? ValidateOptionsResult.Success : ValidateOptionsResult.Fail(mistakes);
    }

    private static IEnumerable<string> MistakesOf(NoticeTarget target)
    {
        if (target is { AllowPrivate: false, Url: { } url } && AddressGuard.WhyRefused(url) is { } what)
            yield return $"{target.Path}:Url leads to an address {what}. If that is meant, set {target.Path}:AllowPrivate to true.";
        if (target is { Kind: TargetKind.Http, Format: PostFormat.Json, Secret: { } secret } && StandardSignature.KeyOf(secret) is null)
            yield return $"{target.Path}:Secret is no secret of Standard Webhooks: write {StandardSignature.Prefix} and 24 to 64 random bytes in base64.";
    }
}
