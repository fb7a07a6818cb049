using System.Security.Claims;
using Microsoft.AspNetCore.Authorization;

namespace WebhookService.Api.Security;

/// <summary>The names for <c>[Authorize(Policy = …)]</c>: each asks for the scope of the same name.</summary>
internal static class Policies
{
    public const string Ingest = Scopes.Ingest;
    public const string Read = Scopes.Read;
    public const string Manage = Scopes.Manage;
}

/// <summary>What a credential may do. <c>manage</c> includes <c>read</c>; <c>ingest</c> stands alone, so that a broker can write but not look.</summary>
internal static class Scopes
{
    public const string Ingest = "ingest";
    public const string Read = "read";
    public const string Manage = "manage";

    /// <summary>The strictest last.</summary>
    public static readonly string[] All = [Ingest, Read, Manage];

    /// <summary>Shared tokens carry one <c>scope</c> claim per scope; a JWT has <c>scope</c> or <c>scp</c>, an array or one text with spaces.</summary>
    public static bool Allows(this ClaimsPrincipal user, string wanted)
    {
        foreach (var claim in user.Claims)
        {
            if (claim.Type is not ("scope" or "scp")) continue;

            foreach (var part in claim.Value.AsSpan().Split(' '))
            {
                var scope = claim.Value.AsSpan(part);
                if (scope.SequenceEqual(wanted) || (wanted == Read && scope.SequenceEqual(Manage))) return true;
            }
        }

        return false;
    }
}

/// <summary>Asks for one scope.</summary>
internal sealed class ScopeRequirement(string scope) : AuthorizationHandler<ScopeRequirement>, IAuthorizationRequirement
{
    public string Scope { get; } = scope;

    protected override Task HandleRequirementAsync(AuthorizationHandlerContext context, ScopeRequirement requirement)
    {
        if (context.User.Allows(requirement.Scope)) context.Succeed(requirement);
        return Task.CompletedTask;
    }
}

/// <summary>
/// The policy of endpoints that name none: closed. Only what is no endpoint of ours passes (no route, or the 405 and 415
/// that routing makes up), since it has nothing to give away.
/// </summary>
internal sealed class ClosedUnlessMarked : AuthorizationHandler<ClosedUnlessMarked>, IAuthorizationRequirement
{
    protected override Task HandleRequirementAsync(AuthorizationHandlerContext context, ClosedUnlessMarked requirement)
    {
        if (context.Resource is HttpContext http && http.GetEndpoint() is not RouteEndpoint) context.Succeed(requirement);
        return Task.CompletedTask;
    }
}
