using System.Text.Encodings.Web;
using Microsoft.AspNetCore.Authentication;
using Microsoft.Extensions.Options;

namespace WebhookService.Api.Security;

/// <summary>Knows a caller by a shared token.</summary>
internal sealed class TokenAuthenticationHandler(
    IOptionsMonitor<AuthenticationSchemeOptions> options, ILoggerFactory logger, UrlEncoder encoder, TokenStore tokens)
    : AuthenticationHandler<AuthenticationSchemeOptions>(options, logger, encoder)
{
    public new const string Scheme = "Token";

    protected override Task<AuthenticateResult> HandleAuthenticateAsync()
    {
        if (PresentedToken.In(Request, tokens.Headers) is not { } presented) return Task.FromResult(AuthenticateResult.NoResult());

        return Task.FromResult(tokens.Find(presented)?.Result ?? AuthenticateResult.Fail("The token is not one of ours."));
    }
}
