using System.Net;
using System.Security.Claims;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Hosting.Server;
using Microsoft.AspNetCore.Hosting.Server.Features;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;
using Microsoft.IdentityModel.JsonWebTokens;
using Microsoft.IdentityModel.Tokens;

namespace WebhookService.Api.Tests.Security;

public sealed class Jwts
{
    private const string Issuer = "https://issuer.test";
    private const string Audience = "webhooks";
    private const string Secret = "a secret of sixty-four bytes or more, long enough to sign with HS512 too";
    private static readonly RSA Rsa = RSA.Create(2048);
    private static readonly ECDsa Ec = ECDsa.Create(ECCurve.NamedCurves.nistP256);
    private static readonly SigningCredentials Hs256 = new(new SymmetricSecurityKey(Encoding.UTF8.GetBytes(Secret)), SecurityAlgorithms.HmacSha256);
    private static readonly SigningCredentials Rs256 = new(new RsaSecurityKey(Rsa) { KeyId = "rsa" }, SecurityAlgorithms.RsaSha256);
    private static readonly SigningCredentials Es256 = new(new ECDsaSecurityKey(Ec) { KeyId = "ec" }, SecurityAlgorithms.EcdsaSha256);

    public static TheoryData<string> Algorithms => ["HS256", "RS256", "ES256", "base64"];

    [Theory]
    [MemberData(nameof(Algorithms))]
    public async Task A_token_signed_with_a_configured_key_opens_its_scope_and_no_other(string algorithm)
    {
        var (key, credentials) = algorithm switch
        {
            "HS256" => (Secret, Hs256),
            "base64" => ("base64:" + Convert.ToBase64String(Encoding.UTF8.GetBytes(Secret)), Hs256),
            "RS256" => (Rsa.ExportSubjectPublicKeyInfoPem(), Rs256),
            _ => (Ec.ExportSubjectPublicKeyInfoPem().Replace("\n", "\\n", StringComparison.Ordinal), Es256),
        };
        await using var api = await StartAsync(key);
        var client = api.ClientWith(Token(credentials));

        var read = await client.GetAsync("/test/read");
        var manage = await client.GetAsync("/test/manage");

        Assert.Equal((HttpStatusCode.OK, "someone"), (read.StatusCode, await read.Content.ReadAsStringAsync()));
        Assert.Equal("manage", (string?)(await manage.ProblemAsync(HttpStatusCode.Forbidden, "scope-missing"))["parameter"]);
    }

    public static TheoryData<string, string> ScopeShapes => new()
    {
        { "scope", "\"openid read\"" }, { "scope", "[\"openid\",\"read\"]" }, { "scp", "\"read\"" }, { "scp", "[\"manage\"]" },
    };

    [Theory]
    [MemberData(nameof(ScopeShapes))]
    public async Task Scopes_come_as_text_or_array_in_scope_or_scp(string claim, string json)
    {
        await using var api = await StartAsync(Secret);
        object value = json.StartsWith('[') ? JsonSerializer.Deserialize<string[]>(json)! : JsonSerializer.Deserialize<string>(json)!;

        var answer = await api.ClientWith(Token(Hs256, claims: new() { [claim] = value })).GetAsync("/test/read");

        Assert.Equal(HttpStatusCode.OK, answer.StatusCode);
    }

    public static TheoryData<string, string> Forgeries => new()
    {
        { "expired", "The JWT has expired." },
        { "early", "The JWT is not valid yet." },
        { "eternal", "The JWT has no expiry." },
        { "issuer", "The JWT comes from another issuer." },
        { "audience", "The JWT is meant for another audience." },
        { "key", "The " },
        { "none", "The " },
        { "HS512", "The " },
        { "tampered", "The " },
        { "public key as secret", "The JWT " },
        { "garbage", "The JWT is not valid." },
    };

    [Theory]
    [MemberData(nameof(Forgeries))]
    public async Task A_token_that_is_not_for_us_stays_outside(string flaw, string reason)
    {
        var rsaPem = Rsa.ExportSubjectPublicKeyInfoPem();
        await using var api = await StartAsync(flaw == "public key as secret" ? rsaPem : Secret);
        var good = Token(Hs256);
        var token = flaw switch
        {
            "expired" => Token(Hs256, expires: DateTime.UtcNow.AddMinutes(-1)),
            "early" => Token(Hs256, from: DateTime.UtcNow.AddMinutes(5)),
            "eternal" => Token(Hs256, expires: DateTime.MaxValue),
            "issuer" => Token(Hs256, issuer: "https://elsewhere.test"),
            "audience" => Token(Hs256, audience: "another"),
            "key" => Token(new(new SymmetricSecurityKey(RandomNumberGenerator.GetBytes(32)), SecurityAlgorithms.HmacSha256)),
            "none" => Unsigned("""{"alg":"none","typ":"JWT"}""", good),
            "HS512" => Token(new(new SymmetricSecurityKey(Encoding.UTF8.GetBytes(Secret)), SecurityAlgorithms.HmacSha512)),
            "tampered" => good[..^4] + (good.EndsWith("AAAA", StringComparison.Ordinal) ? "BBBB" : "AAAA"),
            "public key as secret" => Token(new(new SymmetricSecurityKey(Encoding.UTF8.GetBytes(rsaPem)), SecurityAlgorithms.HmacSha256)),
            _ => "eyJhbGciOiJIUzI1NiJ9.!!.??",
        };

        var answer = await api.ClientWith(token).GetAsync("/test/read");

        var problem = await answer.ProblemAsync(HttpStatusCode.Unauthorized, "credential-invalid");
        Assert.StartsWith(reason, (string?)problem["detail"], StringComparison.Ordinal);
        Assert.DoesNotContain(api.Logs, line => line.Contains(token, StringComparison.Ordinal));
    }

    [Fact]
    public async Task Shared_tokens_go_on_working_beside_JWTs()
    {
        await using var api = await StartAsync(Secret, tokens: true);

        Assert.Equal(HttpStatusCode.OK, (await api.Read.GetAsync("/test/read")).StatusCode);
        Assert.Equal(HttpStatusCode.OK, (await api.ClientWith(Token(Hs256)).GetAsync("/test/read")).StatusCode);
    }

    [Fact]
    public async Task With_JWTs_configured_no_tokens_are_generated()
    {
        await using var api = await StartAsync(Secret);

        Assert.Empty(Directory.GetFiles(api.DataDirectory, "credentials*"));
    }

    [Theory]
    [InlineData("RS256")]
    [InlineData("ES256")]
    public async Task An_authority_publishes_its_keys_and_its_tokens_are_taken(string algorithm)
    {
        await using var authority = await StartAuthorityAsync();
        var issuer = AddressOf(authority);
        await using var api = await ApiHost.StartAsync(new() { ["Security:Jwt:Authority"] = issuer, ["Security:Jwt:Audience"] = Audience }, map: SharedTokens.MapScopes, tokens: false);
        var credentials = algorithm == "RS256" ? Rs256 : Es256;

        var ours = await api.ClientWith(Token(credentials, issuer: issuer)).GetAsync("/test/read");
        var another = await api.ClientWith(Token(credentials)).GetAsync("/test/read");
        var symmetric = await api.ClientWith(Token(Hs256, issuer: issuer)).GetAsync("/test/read");

        Assert.Equal(HttpStatusCode.OK, ours.StatusCode);
        Assert.Equal(HttpStatusCode.Unauthorized, another.StatusCode);
        Assert.Equal(HttpStatusCode.Unauthorized, symmetric.StatusCode);
    }

    [Fact]
    public async Task An_authority_out_of_reach_is_our_trouble_and_not_the_callers()
    {
        await using var api = await ApiHost.StartAsync(
            new() { ["Security:Jwt:Authority"] = "http://127.0.0.1:1", ["Security:Jwt:Audience"] = Audience }, map: SharedTokens.MapScopes);

        var answer = await api.ClientWith(Token(Rs256)).GetAsync("/test/read");

        await answer.ProblemAsync(HttpStatusCode.ServiceUnavailable, "issuer-unreachable");
        Assert.Equal(TimeSpan.FromSeconds(5), answer.Headers.RetryAfter?.Delta);
        Assert.Equal(HttpStatusCode.OK, (await api.Read.GetAsync("/test/read")).StatusCode);
    }

    public static TheoryData<string, string, string> Mistakes => new()
    {
        { "SigningKeys:0", "only thirty-one bytes of secret", "Security:Jwt:SigningKeys:0 is a secret of 31 bytes" },
        { "SigningKeys:0", "base64:***", "Security:Jwt:SigningKeys:0 starts with 'base64:'" },
        { "SigningKeys:0", Rsa.ExportPkcs8PrivateKeyPem(), "Security:Jwt:SigningKeys:0 is a private key" },
        { "SigningKeys:0", "-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----", "Security:Jwt:SigningKeys:0 is no public key" },
        { "SigningKeys:0", RSA.Create(1024).ExportSubjectPublicKeyInfoPem(), "Security:Jwt:SigningKeys:0 is an RSA key of 1024 bits" },
        { "SigningKeys:0", ECDsa.Create(ECCurve.NamedCurves.nistP384).ExportSubjectPublicKeyInfoPem(), "Security:Jwt:SigningKeys:0 is not on the curve P-256" },
        { "Issuer", "", "Security:Jwt:Issuer is missing" },
        { "Audience", "", "Security:Jwt:Audience is missing" },
        { "Authority", "https://issuer.test", "Security:Jwt has both Authority and SigningKeys" },
        { "Authority", "http://issuer.test", "Security:Jwt:Authority is not https" },
        { "Authority", "issuer", "Security:Jwt:Authority is no address" },
    };

    [Theory]
    [MemberData(nameof(Mistakes))]
    public async Task A_mistake_in_the_settings_stops_the_start_and_names_its_key(string key, string value, string expected)
    {
        var settings = Settings(Secret);
        settings["Security:Jwt:" + key] = value;

        var stopped = await Assert.ThrowsAsync<OptionsValidationException>(() => ApiHost.StartAsync(settings));

        Assert.Contains(stopped.Failures, failure => failure.StartsWith(expected, StringComparison.Ordinal));
        Assert.DoesNotContain("MII", stopped.Message, StringComparison.Ordinal);
    }

    private static Dictionary<string, string?> Settings(string key) => new()
    {
        ["Security:Jwt:SigningKeys:0"] = key,
        ["Security:Jwt:Issuer"] = Issuer,
        ["Security:Jwt:Audience"] = Audience,
    };

    private static Task<ApiHost> StartAsync(string key, bool tokens = false) => ApiHost.StartAsync(Settings(key), map: SharedTokens.MapScopes, tokens: tokens);

    private static string Token(
        SigningCredentials credentials, string issuer = Issuer, string audience = Audience, DateTime? from = null, DateTime? expires = null, Dictionary<string, object>? claims = null)
    {
        var now = DateTime.UtcNow;
        return new JsonWebTokenHandler { SetDefaultTimesOnTokenCreation = false }.CreateToken(new SecurityTokenDescriptor
        {
            Issuer = issuer,
            Audience = audience,
            NotBefore = from ?? now.AddMinutes(-10),
            Expires = expires == DateTime.MaxValue ? null : expires ?? now.AddMinutes(10),
            Subject = new ClaimsIdentity([new Claim("sub", "someone")]),
            Claims = claims ?? new() { ["scope"] = "read" },
            SigningCredentials = credentials,
        });
    }

    private static string Unsigned(string header, string token) => $"{Base64UrlEncoder.Encode(header)}.{token.Split('.')[1]}.";

    private static string AddressOf(WebApplication app) => app.Services.GetRequiredService<IServer>().Features.Get<IServerAddressesFeature>()!.Addresses.First();

    private static async Task<WebApplication> StartAuthorityAsync()
    {
        var builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        builder.WebHost.UseUrls("http://127.0.0.1:0");
        var app = builder.Build();
        app.MapGet("/.well-known/openid-configuration", () => new { issuer = AddressOf(app), jwks_uri = $"{AddressOf(app)}/keys" });
        app.MapGet("/keys", () =>
        {
            var rsa = Rsa.ExportParameters(includePrivateParameters: false);
            var ec = Ec.ExportParameters(includePrivateParameters: false);
            return Results.Json(new
            {
                keys = new object[]
                {
                    new { kty = "RSA", kid = "rsa", use = "sig", n = Base64UrlEncoder.Encode(rsa.Modulus), e = Base64UrlEncoder.Encode(rsa.Exponent) },
                    new { kty = "EC", kid = "ec", use = "sig", crv = "P-256", x = Base64UrlEncoder.Encode(ec.Q.X), y = Base64UrlEncoder.Encode(ec.Q.Y) },
                },
            });
        });
        await app.StartAsync();
        return app;
    }
}
