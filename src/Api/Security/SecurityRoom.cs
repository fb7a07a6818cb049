using System.Collections.Frozen;
using System.Security.Claims;
using Microsoft.AspNetCore.Authentication;
using Microsoft.AspNetCore.Authentication.JwtBearer;
using Microsoft.AspNetCore.Authorization;
using Microsoft.AspNetCore.Hosting.Server;
using Microsoft.AspNetCore.Hosting.Server.Features;
using Microsoft.Extensions.DependencyInjection.Extensions;
using Microsoft.Extensions.Options;
using Microsoft.IdentityModel.Tokens;
using WebhookService.Api.Errors;

namespace WebhookService.Api.Security;

/// <summary>Who may do what: shared tokens and JWTs, one policy per scope, and closed doors for what names no policy.</summary>
internal static class SecurityRoom
{
    public const string TokenOrJwt = "TokenOrJwt";

    public static IServiceCollection AddSecurity(this IServiceCollection services)
    {
        services.TryAddSingleton(TimeProvider.System);
        services.AddSingleton<TokenStore>();
        services.AddSingleton(provider => SecurityOptions.Read(provider.GetRequiredService<IConfiguration>()).Jwt);
        services.AddSingleton<IConfigureOptions<JwtBearerOptions>, JwtBearerSetup>();
        services.AddSingleton<IAuthorizationMiddlewareResultHandler, RefusalAnswer>();

        // The core of AddAuthentication and AddJwtBearer, without the data protection keys in the home folder that they bring and nobody uses.
        services.AddAuthenticationCore(options => options.DefaultScheme = TokenOrJwt);
        services.AddWebEncoders();
        services.AddSingleton<IPostConfigureOptions<JwtBearerOptions>, JwtBearerPostConfigureOptions>();
        new AuthenticationBuilder(services)
            .AddPolicyScheme(TokenOrJwt, displayName: null, options => options.ForwardDefaultSelector = SchemeFor)
            .AddScheme<AuthenticationSchemeOptions, TokenAuthenticationHandler>(TokenAuthenticationHandler.Scheme, displayName: null, configureOptions: null)
            .AddScheme<JwtBearerOptions, JwtBearerHandler>(JwtBearerDefaults.AuthenticationScheme, displayName: null, configureOptions: null);

        services.AddAuthorization(options =>
        {
            foreach (var scope in Scopes.All) options.AddPolicy(scope, policy => policy.AddRequirements(new ScopeRequirement(scope)));
            options.DefaultPolicy = options.FallbackPolicy = new([new ClosedUnlessMarked()], []);
        });
        return services;
    }

    /// <summary>Reads the credentials now, so that a mistake stops the start, and shows freshly generated ones once the address is known.</summary>
    public static WebApplication UseSecurity(this WebApplication app)
    {
        if (app.Services.GetRequiredService<TokenStore>().JustGenerated is { } generated)
        {
            app.Lifetime.ApplicationStarted.Register(() =>
            {
                var address = app.Services.GetRequiredService<IServer>().Features.Get<IServerAddressesFeature>()?.Addresses.FirstOrDefault();
                Console.Out.WriteLine(FirstStart.Message(generated, address ?? "http://localhost:5080"));
            });
        }

        app.UseSharedTokensFirst();
        app.UseAuthentication();
        app.UseAuthorization();
        return app;
    }

    /// <summary>
    /// A shared token with the scopes that an endpoint asks for goes straight there: schemes and policies cost more than the rest of a webhook's way.
    /// All else goes on to them.
    /// </summary>
    private static void UseSharedTokensFirst(this WebApplication app)
    {
        var tokens = app.Services.GetRequiredService<TokenStore>();
        app.Use((context, next) =>
        {
            var endpoint = context.GetEndpoint();
            if (endpoint is not { RequestDelegate: { } action } || endpoint.Metadata.GetOrderedMetadata<IAuthorizeData>() is not { Count: > 0 } asked
                || PresentedToken.In(context.Request, tokens.Headers) is not { } presented || tokens.Find(presented) is not { } known)
                return next(context);

            foreach (var one in asked)
                if (one is not { Policy: { } scope, Roles: null, AuthenticationSchemes: null } || !known.Scopes.Contains(scope)) return next(context);
            context.User = known.Caller;
            return action(context);
        });
    }

    private static string SchemeFor(HttpContext context)
    {
        var services = context.RequestServices;
        return services.GetRequiredService<JwtOptions>().IsConfigured
            && PresentedToken.In(context.Request, services.GetRequiredService<TokenStore>().Headers) is { } token
            && PresentedToken.LooksLikeJwt(token)
            ? JwtBearerDefaults.AuthenticationScheme
            : TokenAuthenticationHandler.Scheme;
    }

    /// <summary>Turns <see cref="JwtOptions"/> into those of ASP.NET's JWT handler.</summary>
    private sealed class JwtBearerSetup(JwtOptions jwt, TokenStore tokens) : IConfigureNamedOptions<JwtBearerOptions>
    {
        public void Configure(JwtBearerOptions options) => Configure(JwtBearerDefaults.AuthenticationScheme, options);

        public void Configure(string? name, JwtBearerOptions options)
        {
            if (!jwt.IsConfigured) return;

            if (!string.IsNullOrEmpty(jwt.Authority))
            {
                options.Authority = jwt.Authority;
                options.RequireHttpsMetadata = !new Uri(jwt.Authority).IsLoopback;
                options.BackchannelTimeout = TimeSpan.FromSeconds(5);
            }

            options.MapInboundClaims = false;
            options.TokenValidationParameters = new()
            {
                ValidAlgorithms = jwt.Algorithms(),
                IssuerSigningKeys = jwt.ParsedKeys(),
                ValidIssuer = string.IsNullOrEmpty(jwt.Issuer) ? null : jwt.Issuer,
                ValidAudience = jwt.Audience,
                RequireExpirationTime = true,
                RequireSignedTokens = true,
                ClockSkew = TimeSpan.FromSeconds(30),
                NameClaimType = "sub",
            };
            options.Events = new()
            {
                OnMessageReceived = async context =>
                {
                    context.Token = PresentedToken.In(context.Request, tokens.Headers);
                    if (context.Options.ConfigurationManager is not { } issuer) return;

                    try
                    {
                        await issuer.GetConfigurationAsync(context.HttpContext.RequestAborted);   // from its cache, but for the first time
                    }
                    catch (InvalidOperationException unreachable)
                    {
                        // Without the keys the handler would call the token wrong, which it may not be.
                        throw new ApiException(Problem.IssuerUnreachable, unreachable);
                    }
                },
            };
        }
    }
}

/// <summary>The text shown on the console by the start that generated the tokens, and never again.</summary>
internal static class FirstStart
{
    public static string Message(GeneratedCredentials credentials, string address)
    {
        var reachable = address.Replace("[::]", "localhost", StringComparison.Ordinal).Replace("0.0.0.0", "localhost", StringComparison.Ordinal)
            .Replace("//+", "//localhost", StringComparison.Ordinal).Replace("//*", "//localhost", StringComparison.Ordinal);
        return $$"""

            No tokens are configured, so three were generated, one per scope:
              ingest  {{credentials.Ingest}}
              read    {{credentials.Read}}
              manage  {{credentials.Manage}}
            They are kept in {{credentials.Path}}, which only its owner can read; they are shown here this once.
            The dashboard at {{reachable}} takes the one for read, or for manage.

            Tell it that a device connected, then ask for the devices:
              curl {{reachable}}/webhook/emqx -H 'Authorization: Bearer {{credentials.Ingest}}' -H 'Content-Type: application/json' -d '{"event":"client.connected","clientid":"first-device","username":"me","connected_at":'$(date +%s000)'}'
              curl {{reachable}}/api/v1/devices -H 'Authorization: Bearer {{credentials.Read}}'

            """;
    }
}

/// <summary>401 and 403 as problem documents: what is missing, and how to bring it.</summary>
internal sealed partial class RefusalAnswer(TokenStore tokens, ILogger<RefusalAnswer> logger) : IAuthorizationMiddlewareResultHandler
{
    private const string Realm = "Bearer realm=\"WebhookService\"";

    public async Task HandleAsync(RequestDelegate next, HttpContext context, AuthorizationPolicy policy, Microsoft.AspNetCore.Authorization.Policy.PolicyAuthorizationResult authorizeResult)
    {
        if (authorizeResult.Succeeded)
        {
            await next(context);
            return;
        }

        var known = context.User.Identity?.IsAuthenticated == true;
        var problem = known ? Forbidden(policy, context.User) : await UnauthorizedAsync(context);
        context.Response.Headers.WWWAuthenticate = problem.Code switch
        {
            Problem.CredentialMissing => Realm,
            Problem.CredentialInvalid => $"{Realm}, error=\"invalid_token\"",
            _ => $"{Realm}, error=\"insufficient_scope\", scope=\"{problem.Parameter}\"",
        };
        Refused(context.Request.Method, context.Request.Path, context.Connection.RemoteIpAddress, problem.Status, problem.Code, Credential(context, problem));
        await problem.WriteAsync(context);
    }

    private static Problem Forbidden(AuthorizationPolicy policy, ClaimsPrincipal user)
    {
        // A controller's scope and an action's add up: told is the strictest of those that lack, which is the action's.
        var scope = policy.Requirements.OfType<ScopeRequirement>().Select(asked => asked.Scope).Where(asked => !user.Allows(asked))
            .MaxBy(asked => Array.IndexOf(Scopes.All, asked));
        return new(StatusCodes.Status403Forbidden, "scope-missing", "Forbidden")
        {
            Detail = scope is null ? "This route is closed to everyone." : $"The credential is known but lacks the scope '{scope}'.",
            Parameter = scope,
            Hint = scope is null ? null : $"Use a credential with the scope '{scope}'.",
        };
    }

    private async Task<Problem> UnauthorizedAsync(HttpContext context)
    {
        var failure = (await context.AuthenticateAsync()).Failure;   // kept by the scheme: nothing is checked twice
        var headers = string.Join(" or ", tokens.Headers.Select(header => $"'{header}: <token>'").Prepend("'Authorization: Bearer <token>'"));
        return failure is null
            ? new(StatusCodes.Status401Unauthorized, Problem.CredentialMissing, "Unauthorized")
            {
                Detail = "The request brings no credential.",
                Hint = $"Send {headers}, or the token as Basic password.",
            }
            : new(StatusCodes.Status401Unauthorized, Problem.CredentialInvalid, "Unauthorized")
            {
                Detail = Why(failure),
                Hint = "Compare it with the configured tokens (Security:Tokens), the generated ones in the credentials file, or the JWT settings (Security:Jwt).",
            };
    }

    private static readonly FrozenDictionary<Type, string> JwtFailures = new Dictionary<Type, string>
    {
        [typeof(SecurityTokenExpiredException)] = "The JWT has expired.",
        [typeof(SecurityTokenNotYetValidException)] = "The JWT is not valid yet.",
        [typeof(SecurityTokenNoExpirationException)] = "The JWT has no expiry.",
        [typeof(SecurityTokenInvalidIssuerException)] = "The JWT comes from another issuer.",
        [typeof(SecurityTokenInvalidAudienceException)] = "The JWT is meant for another audience.",
        [typeof(SecurityTokenInvalidAlgorithmException)] = "The JWT is signed with an algorithm that is not taken here.",
        [typeof(SecurityTokenSignatureKeyNotFoundException)] = "The JWT is signed with a key that is not known here.",
        [typeof(SecurityTokenInvalidSignatureException)] = "The signature of the JWT does not verify.",
    }.ToFrozenDictionary();

    private static string Why(Exception failure) => failure switch
    {
        AggregateException several => Why(several.InnerExceptions[0]),
        SecurityTokenException jwt => JwtFailures.GetValueOrDefault(jwt.GetType(), "The JWT is not valid."),
        ArgumentException => "The JWT is not valid.",
        _ => "The token is not known here.",
    };

    private static string Credential(HttpContext context, Problem problem) => problem.Code switch
    {
        Problem.CredentialMissing => "no credential",
        Problem.CredentialInvalid => "no credential that is known",
        _ => $"credential {context.User.Identity?.Name ?? "without a name"}",
    };

    // The path without the query, which may hold anything.
    [LoggerMessage(LogLevel.Information, "Refused {Method} {Path} from {RemoteIp} with {Status} {Code} ({Credential})")]
    private partial void Refused(string method, PathString path, System.Net.IPAddress? remoteIp, int status, string code, string credential);
}
