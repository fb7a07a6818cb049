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

        return Task.FromResult(tokens.Find(presented) ?? AuthenticateResult.Fail("The token is not one of ours."));
    }
}

/// <summary>Knows a shared token without the machinery of schemes, which costs more than the rest of a webhook's way to its controller. All else goes the usual way.</summary>
internal sealed class SharedTokensFirst(
    IAuthenticationSchemeProvider schemes, IAuthenticationHandlerProvider handlers, IClaimsTransformation transform, IOptions<AuthenticationOptions> options, TokenStore tokens)
    : AuthenticationService(schemes, handlers, transform, options)
{
    public override Task<AuthenticateResult> AuthenticateAsync(HttpContext context, string? scheme) =>
        (scheme is null or SecurityRoom.TokenOrJwt) && PresentedToken.In(context.Request, tokens.Headers) is { } presented && tokens.Find(presented) is { } known
            ? Task.FromResult(known)
            : base.AuthenticateAsync(context, scheme);
}
